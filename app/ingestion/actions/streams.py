"""Verbs of streams: the rows of a job's catalog, and how far each has been read."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import RowMapping, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from app.core import db
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.ingestion import catalog
from app.ingestion.actions._shared import JSON_BYTES, lock_live
from app.ingestion.actions.tasks import refuse_active
from app.ingestion.tables import sync_jobs, sync_streams

RESET: Mapping[str, Any] = {"state": {}, "state_at": None, "rows": 0, "bytes": 0}
RUN = "_run"
"""In a state: which run has told it. What a person has set is without, and overrules the destination."""
BATCH = 1000


async def set_state(subject: Subject, stream_id: int, state: Any) -> int:
    """Say how far a stream has been read; Conflict ACTIVE while a task of its job goes on."""
    if not isinstance(state, Mapping):
        raise Invalid("state must be an object.", path=("state",))
    written = orjson.dumps(state)
    if len(written) > JSON_BYTES or b"\\u0000" in written:
        raise Invalid(f"state has at most {JSON_BYTES} bytes and no NUL.", path=("state",))
    own = {name: value for name, value in state.items() if name != RUN}
    values = {"state": own, "state_at": func.now()}
    return await _change(subject, stream_id, "sync_stream.set_state", values)


async def reset_state(subject: Subject, stream_id: int) -> int:
    """Have a stream read from its beginning; Conflict ACTIVE while a task of its job goes on."""
    # With a time it is a state that was set: the destination's position must not count any more.
    values = {**RESET, "state_at": func.now()}
    return await _change(subject, stream_id, "sync_stream.reset_state", values)


async def _change(subject: Subject, stream_id: int, action: str, values: Mapping[str, Any]) -> int:
    c = sync_streams.c
    async with db.transaction(subject) as tx:
        tx.subject.require_known()
        stream = await tx.one(select(c.job_id).where(c.id == stream_id))
        if stream is None:
            raise NotFound("There is no such stream.")
        job = await lock_live(tx, sync_jobs, stream["job_id"], "pipeline.write", "stream")
        await refuse_active(tx, job)
        changed = update(sync_streams).where(c.id == stream_id)
        await tx.execute(changed.values(**values, updated_at=func.now()))
        await tx.audit(action, "SyncStream", stream_id, project_id=job["project_id"])
    return stream_id


async def keep_streams(tx: db.Tx, job: RowMapping) -> None:
    """Bring the rows of a job's streams to what its catalog has; each keeps how far it was read."""
    c = sync_streams.c
    found = catalog.configured(job["streams"])
    for start in range(0, len(found), BATCH):
        rows = [
            _row(job, place, one) for place, one in enumerate(found[start : start + BATCH], start)
        ]
        written = insert(sync_streams).values(rows)
        fresh = {n: written.excluded[n] for n in rows[0] if n not in ("job_id", "project_id")}
        await tx.execute(
            written.on_conflict_do_update(
                index_elements=["job_id", "namespace", "name"],
                set_={**fresh, "updated_at": func.now()},
            )
        )
    present = [one.identity for one in found]
    gone = delete(sync_streams).where(c.job_id == job["id"])
    await tx.execute(gone.where(tuple_(c.namespace, c.name).not_in(present)) if present else gone)


async def forget_states(tx: db.Tx, job_id: int, identities: Iterable[catalog.Identity]) -> None:
    """Forget how far these streams of a job have been read."""
    c = sync_streams.c
    same = (c.job_id == job_id, tuple_(c.namespace, c.name).in_(list(identities)))
    await tx.execute(update(sync_streams).where(*same).values(**RESET, updated_at=func.now()))


def _row(job: RowMapping, position: int, one: catalog.Configured) -> dict[str, Any]:
    stream = one.stream
    return {
        "project_id": job["project_id"],
        "job_id": job["id"],
        "position": position,
        "namespace": one.namespace,
        "name": one.name,
        "is_selected": one.metadata is not None,
        "sync_mode": str(stream.get("sync_mode") or ""),
        "cursor_field": stream.get("cursor_field") or None,
        "destination_database": _text(stream.get("destination_database")),
        "destination_table": _text(stream.get("destination_table")),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
