"""Why a run or a step does not move now, as SQL over its row.

Nothing is kept for it: each expression reads what the claim reads (`claim.py`), so that the answer
is as true as the ledger. Rows that do not wait cost a comparison of their status.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import array

from app.runs.states import STEPS_LEFT
from app.runs.tables import run_steps, runs, workers
from app.settings import get_settings

SEEN = timedelta(seconds=15)
"""A worker that has said nothing for longer is taken for gone."""
MOST = 10
"""How many names `wait_for` gives at most, but for the upstream steps of a step."""

_NOTHING = cast(array([], type_=Text), ARRAY(Text))

Label = Callable[[Any], ColumnElement[str]]
"""Columns of a run -> the text that names it."""


def stall_after() -> timedelta:
    """A worker whose last good look for work is older than this has stalled."""
    return timedelta(seconds=2 * get_settings().work.look_s)


def is_alive(worker: Any) -> ColumnElement[bool]:
    """The worker lives and takes work."""
    return and_(worker.seen_at > func.now() - SEEN, ~worker.is_draining)


def is_stalled(worker: Any) -> ColumnElement[bool]:
    """The worker lives, but its looks for work fail or hang."""
    return and_(is_alive(worker), worker.looked_at < func.now() - stall_after())


def _some_worker(*more: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(literal(1)).where(is_alive(workers.c), *more))


def _looking() -> ColumnElement[bool]:
    return workers.c.looked_at >= func.now() - stall_after()


def _running(c: Any, *same: Callable[[Any, Any], ColumnElement[bool]]) -> Any:
    """An alias of `runs`, and the condition on it: a running run of the same project and group."""
    other = runs.alias()
    grouped = [rule(other.c, c) for rule in same]
    return other, and_(other.c.status == "running", other.c.project_id == c.project_id, *grouped)


def _same_subject(other: Any, c: Any) -> ColumnElement[bool]:
    return and_(other.kind == c.kind, other.subject_id.is_not_distinct_from(c.subject_id))


def _same_lane(other: Any, c: Any) -> ColumnElement[bool]:
    return other.lane == c.lane  # type: ignore[no-any-return]


def _count(c: Any, *same: Callable[[Any, Any], ColumnElement[bool]]) -> Any:
    other, condition = _running(c, *same)
    return select(func.count()).select_from(other).where(condition).scalar_subquery()


def _project_limit() -> Any:
    """The most that any live worker grants a project; null where none says."""
    granted = select(func.max(workers.c.project_run_limit))
    return granted.where(is_alive(workers.c)).scalar_subquery()


def _waiting_steps(c: Any) -> Any:
    """Steps of a run that is to go on later because of them."""
    return and_(
        run_steps.c.run_id == c.id,
        run_steps.c.wait.in_(("retry", "poll")),
        run_steps.c.status.in_(STEPS_LEFT),
    )


def _first_step_wait(c: Any) -> Any:
    found = select(run_steps.c.wait).where(_waiting_steps(c)).order_by(run_steps.c.available_at)
    return found.limit(1).scalar_subquery()


def run_reason(c: Any) -> ColumnElement[str]:
    """A word of WaitReason for a run, or null."""
    later = func.coalesce(
        _first_step_wait(c), case((c.attempt > 0, literal("retry")), else_=literal("not_due"))
    )
    # One that lost its worker and one that is due wait for the same workers.
    queued, lost = c.status == "queued", and_(c.status == "running", c.lease_until < func.now())
    return case(
        (c.status.in_(("succeeded", "failed", "cancelled")), null()),
        (and_(c.status == "running", ~func.coalesce(lost, False)), null()),
        (and_(queued, c.hold.is_not(None)), "trigger_inactive"),
        (and_(queued, c.available_at > func.now()), later),
        (~_some_worker(), "no_worker"),
        (~_some_worker(_looking()), "workers_stalled"),
        (lost, "worker_lost"),
        (c.concurrency <= _count(c, _same_subject), "concurrency"),
        (c.lane_limit <= _count(c, _same_lane), "lane"),
        (_project_limit() <= _count(c), "project_limit"),
        (~_some_worker(_looking(), workers.c.running < workers.c.slots), "workers_busy"),
        else_="starting",
    )


def run_until(c: Any) -> ColumnElement[Any]:
    """When a run that waits for a time goes on."""
    later = and_(c.status == "queued", c.hold.is_(None), c.available_at > func.now())
    return case((later, c.available_at), else_=cast(null(), DateTime(timezone=True)))


def run_for(label: Label) -> Callable[[Any], ColumnElement[Any]]:
    """What a run waits for: steps that are tried again, or the runs that hold the places."""

    def holders(c: Any, rule: Callable[[Any, Any], ColumnElement[bool]]) -> Any:
        other, condition = _running(c, rule)
        found = select(label(other.c)).select_from(other).where(condition)
        return func.array(found.order_by(other.c.id).limit(MOST).scalar_subquery())

    def make(c: Any) -> ColumnElement[Any]:
        names = select(run_steps.c.name).where(_waiting_steps(c))
        tried = func.array(names.order_by(run_steps.c.available_at).limit(MOST).scalar_subquery())
        found = case(
            {
                "retry": tried,
                "poll": tried,
                "concurrency": holders(c, _same_subject),
                "lane": holders(c, _same_lane),
            },
            value=run_reason(c),
        )
        queued = case((c.status == "queued", found))
        return func.coalesce(cast(queued, ARRAY(Text)), _NOTHING)

    return make


def step_reason(c: Any) -> ColumnElement[str]:
    """A word of WaitReason for a step, or null."""
    run = select(runs.c.status).where(runs.c.id == c.run_id).scalar_subquery()
    return case(
        (c.status.not_in(("pending", "queued")), null()),
        (and_(c.wait.in_(("retry", "poll")), c.available_at > func.now()), c.wait),
        else_=case(
            {
                "queued": "run",
                "running": case(
                    (c.wait.in_(("slot", "limit")), c.wait),
                    (c.status == "queued", "slot"),
                    (exists(_unfinished(c)), "upstream"),
                    else_="starting",
                ),
            },
            value=run,
        ),
    )


def _unfinished(c: Any) -> Any:
    other = run_steps.alias()
    return (
        select(other.c.name)
        .where(
            other.c.run_id == c.run_id,
            other.c.name == func.any(c.upstream),
            other.c.status.in_(STEPS_LEFT),
        )
        .order_by(other.c.position, other.c.id)
    )


def step_until(c: Any) -> ColumnElement[Any]:
    """When a step that waits for a time is tried again."""
    later = and_(c.status.in_(("pending", "queued")), c.available_at > func.now())
    return case((later, c.available_at), else_=cast(null(), DateTime(timezone=True)))


def step_for(c: Any) -> ColumnElement[Any]:
    """The upstream steps of a step that have not ended, where it waits for them."""
    names = func.array(_unfinished(c).scalar_subquery())
    found = case({"upstream": names}, value=step_reason(c))
    return func.coalesce(cast(found, ARRAY(Text)), _NOTHING)
