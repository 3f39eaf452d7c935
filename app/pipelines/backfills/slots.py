"""A backfill's slots and the state of its runs, as SQL over the columns of its row."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Double,
    Interval,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.pipelines.tables import pipeline_runs
from app.runs.tables import runs

INTERVALS = ("year", "month", "week", "day", "hour", "minute", "custom")
"""In the order of PostgreSQL's `make_interval`; a custom interval is counted in seconds."""
MAX_RUNS = 1000
UNFINISHED = ("queued", "running")

_MOMENTS = ARRAY(DateTime(timezone=True))


def step(c: Any) -> ColumnElement[Any]:
    """From one slot to the next; null where that is not set."""
    units = [case((c.interval_type == word, c.interval_units), else_=0) for word in INTERVALS]
    made = func.make_interval(*units[:-1], cast(units[-1], Double))
    return func.nullif(made, cast(literal("0"), Interval))


def slots(c: Any) -> ColumnElement[Any]:
    """A set: the starts of slots from `start_at` to `end_at`, both included, cut in UTC."""
    return func.generate_series(c.start_at, c.end_at, step(c), "UTC", type_=DateTime(timezone=True))


def slot_list(c: Any) -> ColumnElement[Any]:
    """The slots as one array, oldest first; empty where they are not set."""
    found = select(slots(c).label("slot")).limit(MAX_RUNS).correlate(c.id.table).subquery()
    listed = func.array_agg(aggregate_order_by(found.c.slot, found.c.slot), type_=_MOMENTS)
    return func.coalesce(select(listed).scalar_subquery(), cast(literal("{}"), _MOMENTS))


def slot_count(c: Any) -> ColumnElement[Any]:
    """How many slots there are, counted up to one more than there may be."""
    found = select(slots(c).label("slot")).limit(MAX_RUNS + 1).correlate(c.id.table).subquery()
    return select(func.count()).select_from(found).scalar_subquery()


def run_count(*statuses: str) -> Any:
    """How many of its runs are in one of these states; all of them without any."""

    def make(c: Any) -> ColumnElement[Any]:
        counted = select(func.count()).select_from(_RUNS).where(pipeline_runs.c.backfill_id == c.id)
        if statuses:
            counted = counted.where(runs.c.status.in_(statuses))
        return counted.scalar_subquery()

    return make


def status(c: Any) -> ColumnElement[Any]:
    """Where it stands: null until it is started, then what its runs make of it."""
    told = (
        select(
            case(
                (
                    _n(*UNFINISHED) > 0,
                    case((_n("queued") == func.count(), "initial"), else_="running"),
                ),
                (_n("failed") > 0, "failed"),
                (_n("cancelled") > 0, "cancelled"),
                else_="completed",
            )
        )
        .select_from(_RUNS)
        .where(pipeline_runs.c.backfill_id == c.id)
        .scalar_subquery()
    )
    return case(
        (c.started_at.is_(None), cast(null(), Text)),
        (c.status == "cancelled", "cancelled"),
        else_=told,
    )


def finished_at(c: Any) -> ColumnElement[Any]:
    """When the last of its runs ended; null while one goes on."""
    ended = select(case((_n(*UNFINISHED) == 0, func.max(runs.c.finished_at))))
    return ended.select_from(_RUNS).where(pipeline_runs.c.backfill_id == c.id).scalar_subquery()


_RUNS = pipeline_runs.join(runs, runs.c.id == pipeline_runs.c.run_id)


def _n(*statuses: str) -> ColumnElement[int]:
    return func.count().filter(and_(runs.c.status.in_(statuses)))
