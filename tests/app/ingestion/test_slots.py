"""Which replication slots are looked at, what is kept of it, and who is told."""

from typing import Any

from sqlalchemy import select

from app.core import db
from app.core.rules import SYSTEM
from app.ingestion.actions import slots
from app.ingestion.tables import sync_jobs
from app.runs.tables import runs
from tests.app.ingestion.words import JOB_DELETE
from tests.factories import rows
from tests.factories.team import Team

EVERY_S = 300.0
FOUND = "{ syncJob(by: {number: %d}) { slotRetainedBytes slotWarning slotSeenAt } }"
HOOK = {"webhook_url": "http://hook.example/x"}
KEPT: dict[str, Any] = {"result": {"kept": 7, "warning": None}}
MUCH = {"result": {"kept": 2**31, "warning": "The server keeps 2048 MB of its log."}}
AWAY = {"error": {"message": "The server cannot be reached.", "retry": True}}
LOST = {"error": {"message": "The slot is lost.", "retry": False}}


async def logged(team: Team, slot: str, *, create: bool = True, **values: Any) -> int:
    """A job that is off, whose source names a slot."""
    log = {"type": "CDC", "replication_slot": slot, "publication": "p", "create_missing": create}
    source = await rows.sync_end(
        "source", team.project, config={**rows.POSTGRES, "update_method": log}
    )
    given = {"is_active": False, "advanced_settings": HOOK, **values}
    return await rows.sync_job(team.project, source_id=source, **given)


async def due(job: int) -> slots.Watch | None:
    """What is to be looked at of a job now."""
    async with db.transaction(SYSTEM) as tx:
        found = await slots.due(tx, EVERY_S)
    return next((watch for watch in found if any(j["id"] == job for j in watch.jobs)), None)


async def looked(job: int, told: dict[str, Any]) -> list[str]:
    """The warnings of a look at a job's slot whose time has come."""
    await rows.change(sync_jobs, job, slot_seen_at=None)
    watch = await due(job)
    assert watch is not None
    async with db.transaction(SYSTEM) as tx:
        return await slots.note(tx, watch, told)


async def told(job: int) -> list[str]:
    """Warnings that are queued for the job's address."""
    wanted = select(runs.c.params).where(runs.c.kind == "sync_webhook", runs.c.subject_id == job)
    async with db.reading() as connection:
        found = (await connection.execute(wanted.order_by(runs.c.id))).scalars().all()
    assert all((one["event"], one["to"]) == ("slot.warning", "job") for one in found)
    return [one["warning"] for one in found]


async def test_a_slot_is_due_whether_its_job_is_on_or_off(team: Team) -> None:
    for active in (True, False):
        job = await logged(team, f"own_{active}", is_active=active)
        watch = await due(job)
        assert watch is not None and (watch.slot, watch.drop) == (f"own_{active}", False)
        assert watch.source.config["password"] == rows.POSTGRES["password"]
        assert await due(job) is None, "it was looked at just now"
    assert await due(await rows.sync_job(team.project)) is None, "its source has no log"


async def test_what_is_kept_is_seen_and_told_once(team: Team) -> None:
    job = await logged(team, "seen")
    assert await looked(job, KEPT) == [] == await told(job)
    found = (await team.viewer(FOUND % job)).only
    assert (found["slotRetainedBytes"], found["slotWarning"]) == ("7", None)
    assert found["slotSeenAt"]
    much = MUCH["result"]["warning"]
    for _ in range(2):
        assert len(await looked(job, AWAY)) <= 1
        await looked(job, MUCH)
        assert (await team.viewer(FOUND % job)).only["slotWarning"] == much
    assert await told(job) == [much]
    await looked(job, KEPT)
    (warning,) = await looked(job, AWAY)
    assert warning.startswith(slots.UNKNOWN) and await told(job) == [much]
    await looked(job, LOST)
    assert await told(job) == [much, "The slot is lost."]


async def test_what_was_seen_is_forgotten_with_the_slot(team: Team) -> None:
    job = await logged(team, "was")
    await looked(job, MUCH)
    plain = await rows.sync_end("source", team.project)
    await rows.change(sync_jobs, job, source_id=plain)
    assert await due(job) is None
    found = (await team.viewer(FOUND % job)).only
    assert set(found.values()) == {None}


async def test_the_slot_of_a_deleted_job_is_dropped(team: Team) -> None:
    job = await logged(team, "goes")
    task = await rows.sync_task(job, "running")
    assert (await team.editor(JOB_DELETE, n=job)).only["errors"] == []
    assert await due(job) is None, "its sync has not ended"
    await rows.change(runs, task, status="cancelled")
    watch = await due(job)
    assert watch is not None and watch.drop
    async with db.transaction(SYSTEM) as tx:
        (warning,) = await slots.note(tx, watch, AWAY)
    assert "cannot be reached" in warning and await told(job) == []
    await rows.change(sync_jobs, job, slot_seen_at=watch.jobs[0]["deleted_at"].replace(year=2000))
    watch = await due(job)
    assert watch is not None and watch.drop
    async with db.transaction(SYSTEM) as tx:
        assert await slots.note(tx, watch, {"result": {"dropped": True}}) == []
    assert (await rows.values_of(sync_jobs, job))["slot_seen_at"] is None
    assert await due(job) is None and await told(job) == []


async def test_a_slot_that_stays_is_told(team: Team) -> None:
    for create, answer in ((False, KEPT), (True, LOST)):
        job = await logged(team, f"stays_{create}", create=create)
        await team.editor(JOB_DELETE, n=job)
        if create:
            # It was tried for longer than a day.
            gone = (await rows.values_of(sync_jobs, job))["deleted_at"]
            await rows.change(sync_jobs, job, deleted_at=gone.replace(year=gone.year - 1))
        watch = await due(job)
        assert watch is not None and watch.drop is create
        async with db.transaction(SYSTEM) as tx:
            (warning,) = await slots.note(tx, watch, answer)
        assert f"SELECT pg_drop_replication_slot('stays_{create}')" in warning
        assert await told(job) == [warning] and await due(job) is None


async def test_a_slot_that_another_job_reads_is_left_alone(team: Team) -> None:
    first, other = await logged(team, "shared"), await logged(team, "shared")
    await team.editor(JOB_DELETE, n=first)
    watch = await due(first)
    assert watch is not None and not watch.drop
    async with db.transaction(SYSTEM) as tx:
        assert await slots.note(tx, watch, KEPT) == []
    assert await told(first) == [] == await told(other)
