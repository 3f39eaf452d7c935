"""How many runs of a trigger and of a pipeline run at once, and what becomes of the next one.

A pipeline's limit is the ledger's `concurrency`. A trigger's limit is a lane, `trigger/<id>`: it
counts all running runs of the trigger, whoever started them, and each run waits by a limit of its
own. A run that a call started waits only for `pipeline_run_limit`. A scheduled one of a trigger
whose runs may not overlap has the limit 1: it waits until nothing of its trigger runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    RowMapping,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    select,
    update,
)

from app.core.db import Tx
from app.core.errors import Invalid
from app.pipelines.tables import pipeline_runs, pipelines, triggers
from app.runs.tables import runs

KIND = "pipeline"
OVERLAPS = ("skip", "queue_one", "allow")
UNLIMITED = 2**31 - 1
_LIMITS = ("block_run_limit", "pipeline_run_limit", "pipeline_run_limit_all_triggers")
_REACHED = ("wait", "skip")

Row = RowMapping | Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """What a run waits for. `run_limit` is what `skips` judges by beside `concurrency`."""

    lane: str | None = None
    lane_limit: int | None = None
    concurrency: int | None = None
    run_limit: int | None = None
    skips: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """As the ledger stores them."""
        return {
            "lane": self.lane,
            "lane_limit": self.lane_limit,
            "concurrency": self.concurrency,
        }


def check_concurrency(config: Mapping[str, Any]) -> None:
    """Refuse limits that are no whole numbers from 1, and unknown words."""
    for name in _LIMITS:
        check_limit(config.get(name), f"concurrency_config.{name}", "concurrency_config")
    reached = config.get("on_pipeline_run_limit_reached")
    if reached is not None and reached not in _REACHED:
        raise Invalid(
            "concurrency_config.on_pipeline_run_limit_reached must be wait or skip.",
            path=("concurrency_config",),
        )


def check_limit(value: Any, name: str, path: str) -> None:
    """Refuse what is neither null (no limit) nor a whole number from 1."""
    if value is not None and _limit(value) is None:
        text = f"{name} must be a whole number from 1, or null for no limit."
        raise Invalid(text, path=(path,))


def overlap_of(trigger: Row) -> str:
    """What becomes of a due run while another of the trigger goes on; Mage's setting wins."""
    settings = trigger["settings"] or {}
    return "skip" if settings.get("skip_if_previous_running") else str(trigger["overlap"])


def limits_of(pipeline: Row, trigger: Row | None, *, scheduled: bool) -> Limits:
    """The limits of a run of a pipeline, of a trigger if there is one, by the clock or by a call."""
    config = pipeline["concurrency_config"] or {}
    skips = config.get("on_pipeline_run_limit_reached") == "skip"
    concurrency = _limit(config.get("pipeline_run_limit_all_triggers"))
    if trigger is None:
        return Limits(concurrency=concurrency, skips=skips)
    settings = trigger["settings"] or {}
    own = _limit(settings.get("pipeline_run_limit")) or _limit(config.get("pipeline_run_limit"))
    in_turn = trigger["type"] == "time" and overlap_of(trigger) != "allow"
    if own is None and not in_turn:
        return Limits(concurrency=concurrency, skips=skips)
    lane_limit = 1 if in_turn and scheduled else own or UNLIMITED
    return Limits(f"trigger/{trigger['id']}", lane_limit, concurrency, own, skips)


async def is_full(tx: Tx, pipeline: Row, limits: Limits) -> bool:
    """Whether one more run would be beyond a limit whose runs shall not wait.

    Those who ask about one pipeline ask one after another, until their transactions end.
    """
    if not limits.skips or (limits.run_limit is None and limits.concurrency is None):
        return False
    lock = func.hashtextextended(f"limits/{pipeline['id']}", 0)
    await tx.execute(select(func.pg_advisory_xact_lock(lock)))
    counted = await tx.one(
        select(
            func.count().label("all"),
            func.count().filter(runs.c.lane == limits.lane).label("mine"),
        ).where(unfinished(pipeline["id"]), runs.c.hold.is_(None))
    )
    assert counted is not None
    return bool(
        counted["all"] >= (limits.concurrency or UNLIMITED)
        or counted["mine"] >= (limits.run_limit or UNLIMITED)
    )


async def refresh(tx: Tx, pipeline: Row, trigger_id: int | None = None) -> None:
    """Give a pipeline's unfinished runs the limits as they are now; of one trigger if named.

    Running ones change with them, as they are counted by lane.
    """
    waits = runs.c.status == "queued"
    # Who waited may start at once: the reconciler hints at it again within a second.
    told = {"hinted_at": case((waits, null()), else_=runs.c.hinted_at), "hint_count": 0}
    if trigger_id is None:
        concurrency = limits_of(pipeline, None, scheduled=False).concurrency
        changed = update(runs).where(unfinished(pipeline["id"]))
        await tx.execute(changed.values(concurrency=concurrency, **told))
    for trigger in await _busy_triggers(tx, pipeline, trigger_id):
        called = limits_of(pipeline, trigger, scheduled=False)
        timed = limits_of(pipeline, trigger, scheduled=True)
        by_clock = runs.c.schedule_id.is_not(None)
        await tx.execute(
            update(runs)
            .where(unfinished(pipeline["id"]), _is_of(trigger["id"]))
            .values(
                lane=called.lane,
                lane_limit=case(
                    (by_clock, literal(timed.lane_limit, Integer)),
                    else_=literal(called.lane_limit, Integer),
                ),
                **told,
            )
        )


async def renew(tx: Tx, run_id: UUID) -> None:
    """Give a run that is queued again the limits as they are now; a backfill's keeps its own."""
    facet = await tx.one(
        select(pipeline_runs.c.pipeline_id, pipeline_runs.c.trigger_id, runs.c.schedule_id)
        .join(runs, runs.c.id == pipeline_runs.c.run_id)
        .where(runs.c.id == run_id, pipeline_runs.c.backfill_id.is_(None))
    )
    if facet is None:
        return
    pipeline = await tx.one(select(pipelines).where(pipelines.c.id == facet["pipeline_id"]))
    trigger = await tx.one(select(triggers).where(triggers.c.id == facet["trigger_id"]))
    if pipeline is not None:
        limits = limits_of(pipeline, trigger, scheduled=facet["schedule_id"] is not None)
        await tx.execute(update(runs).where(runs.c.id == run_id).values(**limits.columns))


def unfinished(pipeline_id: int) -> ColumnElement[bool]:
    """A pipeline's runs that have not ended; read from an index, however many have."""
    return and_(
        runs.c.kind == KIND,
        runs.c.subject_id == pipeline_id,
        runs.c.status.in_(("queued", "running")),
    )


def _is_of(trigger_id: int) -> ColumnElement[bool]:
    """Runs of a trigger; those of a backfill have a lane of their own."""
    return exists().where(
        pipeline_runs.c.run_id == runs.c.id,
        pipeline_runs.c.trigger_id == trigger_id,
        pipeline_runs.c.backfill_id.is_(None),
    )


async def _busy_triggers(tx: Tx, pipeline: Row, trigger_id: int | None) -> list[RowMapping]:
    started = (
        select(pipeline_runs.c.trigger_id)
        .join(runs, runs.c.id == pipeline_runs.c.run_id)
        .where(unfinished(pipeline["id"]))
    )
    busy = select(triggers).where(triggers.c.id.in_(started))
    if trigger_id is not None:
        busy = busy.where(triggers.c.id == trigger_id)
    return list(await tx.all(busy.order_by(triggers.c.id)))


def _limit(value: Any) -> int | None:
    """A stored limit; None for none, and for what was stored before limits were checked."""
    return value if type(value) is int and 1 <= value < UNLIMITED else None
