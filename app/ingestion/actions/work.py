"""What a worker reads and writes of the task or probe that it holds. Writes carry its fence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from app.core.crypto import KeyRing
from app.core.db import Tx
from app.ingestion import catalog
from app.ingestion.actions.probes import probe_place
from app.ingestion.actions.streams import RESET, RUN
from app.ingestion.secrets import End, opened, unseal
from app.ingestion.tables import (
    sync_destinations,
    sync_jobs,
    sync_sources,
    sync_streams,
    sync_tasks,
)
from app.runs.fenced import LeaseLost, storable
from app.runs.tables import runs

SET = "_set"
"""In a state that a worker gets: when a person has set it."""


@dataclass(frozen=True)
class Settings:
    """One end of a sync: its connector, and its settings in clear."""

    type: str
    connector_version: str
    config: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Task:
    """What a sync or clear needs to know. `state` is by `namespace.name`, only of what has begun."""

    job_id: int
    job_name: str
    project_id: int
    job_type: str
    source: Settings
    destination: Settings
    streams: list[dict[str, Any]]
    state: dict[str, dict[str, Any]]
    advanced_settings: dict[str, Any]


@dataclass(frozen=True)
class ProbeTask:
    """What a check or discover needs to know; `more` is what its caller added."""

    end: End
    settings: Settings
    more: dict[str, Any]


class Gone(Exception):
    """There is nothing to do any more: the job, or an end of it, was deleted."""


async def open_task(tx: Tx, run_id: UUID, ring: KeyRing | None = None) -> Task:
    """The parts of a task's document, as they are now; Gone where the job was deleted.

    A worker gives the ring of ISTHMUS_SECRET_KEYS; SecretError where that does not open them.
    """
    c = sync_tasks.c
    found = await tx.one(
        select(sync_jobs, c.job_type, runs.c.params)
        .join(sync_tasks, c.job_id == sync_jobs.c.id)
        .join(runs, runs.c.id == c.run_id)
        .where(c.run_id == run_id, sync_jobs.c.deleted_at.is_(None))
    )
    if found is None:
        raise Gone
    snapshot = found["params"].get("catalog")
    chosen = catalog.selected(found["streams"] if snapshot is None else snapshot)
    return Task(
        job_id=found["id"],
        job_name=found["name"],
        project_id=found["project_id"],
        job_type=found["job_type"],
        source=await _settings(tx, "source", found["source_id"], ring),
        destination=await _settings(tx, "destination", found["destination_id"], ring),
        streams=[
            {"namespace": s.namespace, "name": s.name, "stream": s.stream, "metadata": s.metadata}
            for s in chosen
        ],
        state=await _states(tx, found["id"]),
        advanced_settings=found["advanced_settings"] or {},
    )


async def open_probe(tx: Tx, run_id: UUID, ring: KeyRing | None = None) -> ProbeTask:
    """What a probe is about; Gone where its settings have been forgotten."""
    row = await tx.one(select(runs.c.params).where(runs.c.id == run_id))
    params: dict[str, Any] = {} if row is None else row["params"]
    if "sealed" not in params:
        raise Gone
    config = unseal(params["sealed"], probe_place(params["nonce"]), ring)
    own = ("end", "type", "sealed", "nonce")
    return ProbeTask(
        params["end"],
        Settings(params["type"], "", config),
        {name: value for name, value in params.items() if name not in own},
    )


async def save_stream_states(
    tx: Tx, run_id: UUID, fence: int, states: Mapping[str, Mapping[str, Any]]
) -> None:
    """Keep how far streams have been read, by `namespace.name`; LeaseLost where the run is lost."""
    job_id = await _job_of(tx, run_id, fence)
    for name, state in states.items():
        await tx.execute(
            update(sync_streams)
            .where(sync_streams.c.job_id == job_id, _full_name() == name)
            .values(state=storable(dict(state)), state_at=func.now(), updated_at=func.now())
        )


_PROGRESS = text("""
UPDATE sync_tasks SET rows = :rows, bytes = :bytes, rows_per_s = :rows_per_s,
                      streams = streams || :streams
WHERE run_id = :run_id
""").bindparams(bindparam("streams", type_=JSONB))


async def save_progress(
    tx: Tx,
    run_id: UUID,
    fence: int,
    *,
    rows: int,
    bytes: int,
    rows_per_s: float,
    streams: Mapping[str, Mapping[str, Any]],
) -> None:
    """Keep what has been committed until now, and wake the followers.

    `streams` has {"status", "rows", "bytes"} of those that changed, by `namespace.name`.
    """
    run = await _held(tx, run_id, fence)
    values = {"rows": rows, "bytes": bytes, "rows_per_s": float(rows_per_s)}
    told = {"run_id": run_id, **values, "streams": storable(dict(streams))}
    await tx.execute(_PROGRESS, told)
    await tx.execute(update(runs).where(runs.c.id == run_id).values(updated_at=func.now()))
    tx.changed(run_id, run["project_id"])


async def note_moved(
    tx: Tx, run_id: UUID, fence: int, moved: Mapping[str, tuple[int, int]]
) -> None:
    """At the end of a sync: add rows and bytes, by `namespace.name`, to what its streams count."""
    job_id = await _job_of(tx, run_id, fence)
    c = sync_streams.c
    for name, (rows, size) in moved.items():
        await tx.execute(
            update(sync_streams)
            .where(c.job_id == job_id, _full_name() == name)
            .values(rows=c.rows + rows, bytes=c.bytes + size, updated_at=func.now())
        )


async def note_cleared(tx: Tx, run_id: UUID, fence: int, names: list[str]) -> None:
    """After a stream's data was cleared: forget how far it was read, by `namespace.name`."""
    job_id = await _job_of(tx, run_id, fence)
    same = (sync_streams.c.job_id == job_id, _full_name().in_(names))
    await tx.execute(update(sync_streams).where(*same).values(**RESET, updated_at=func.now()))


async def _settings(tx: Tx, end: End, row_id: int, ring: KeyRing | None) -> Settings:
    table = sync_sources if end == "source" else sync_destinations
    row = await tx.one(select(table).where(table.c.id == row_id, table.c.deleted_at.is_(None)))
    if row is None:
        raise Gone
    return Settings(row["type"], row["connector_version"], opened(row, end, ring))


async def _states(tx: Tx, job_id: int) -> dict[str, dict[str, Any]]:
    c = sync_streams.c
    begun = select(_full_name().label("name"), c.state, c.state_at).where(
        c.job_id == job_id, c.state_at.is_not(None)
    )
    return {row["name"]: _stamped(row) for row in await tx.all(begun)}


def _stamped(row: RowMapping) -> dict[str, Any]:
    """A state; one that a person has set with its time, so that it is gone back to only once."""
    own = {} if RUN in row["state"] else {SET: row["state_at"].isoformat()}
    return {**row["state"], **own}


def _full_name() -> Any:
    return sync_streams.c.namespace + "." + sync_streams.c.name


async def _held(tx: Tx, run_id: UUID, fence: int) -> RowMapping:
    """The run, locked against its end; LeaseLost where another has it or it has ended."""
    run = await tx.one(
        select(runs.c.project_id, runs.c.subject_id)
        .where(runs.c.id == run_id, runs.c.fence == fence, runs.c.status == "running")
        .with_for_update()
    )
    if run is None:
        raise LeaseLost(str(run_id))
    return run


async def _job_of(tx: Tx, run_id: UUID, fence: int) -> int:
    return int((await _held(tx, run_id, fence))["subject_id"])
