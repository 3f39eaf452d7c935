"""Reads that are no rows: what a discovery is for, what differs, which names are free."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Table, case, select, text

from app.core.db import reading
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.ingestion import catalog
from app.ingestion.rules import WEBHOOK_URL
from app.ingestion.secrets import TABLES
from app.ingestion.tables import connectors, sync_jobs

ENTITIES: dict[str, Table] = {
    "source": TABLES["source"],
    "destination": TABLES["destination"],
    "job": sync_jobs,
}
MAX_THREADS = 64


@dataclass(frozen=True)
class Look:
    """What a discovery is for: what the worker is told, and the choices that are kept."""

    more: dict[str, Any]
    streams: dict[str, Any] | None

    def catalog(self, result: dict[str, Any] | None) -> dict[str, Any] | None:
        """The catalog of a worker's result, with the choices of the job."""
        found = None if result is None else result.get("catalog")
        if found is None or not self.streams:
            return found
        return catalog.merge(self.streams, found)


async def discovered(
    subject: Subject,
    project_id: int,
    job_id: int | None,
    job_name: str | None,
    max_threads: int | None,
) -> Look:
    """The look for a job that is there, or that is to be; NotFound for one that is hidden."""
    subject.require_known()
    more: dict[str, Any] = {"prefix": job_name or None}
    if max_threads is not None:
        more["max_threads"] = max(1, min(max_threads, MAX_THREADS))
    if job_id is None:
        return Look(more, None)
    job = await _job(subject, job_id)
    return Look({**more, "prefix": job["name"]}, job["streams"])


async def stream_difference(subject: Subject, job_id: int, streams: Any) -> dict[str, Any]:
    """What of a new catalog must be cleared before it is synced."""
    subject.require_known()
    catalog.check(streams)
    job = await _job(subject, job_id)
    found = catalog.difference(job["streams"], streams)
    return found if found["streams"] else {}


async def name_is_free(subject: Subject, project_id: int, entity: str, name: str) -> bool:
    """Whether a new source, destination or job may have the name."""
    subject.require_known()
    if not subject.may("pipeline.read", project_id):
        raise NotFound("There is no such project.")
    c = ENTITIES[entity].c
    same = (c.project_id == project_id, c.name == name.strip(), c.deleted_at.is_(None))
    async with reading() as connection:
        return await connection.scalar(select(c.id).where(*same)) is None


async def _job(subject: Subject, job_id: int) -> RowMapping:
    c = sync_jobs.c
    wanted = select(c.name, c.streams, c.project_id).where(c.id == job_id, c.deleted_at.is_(None))
    async with reading() as connection:
        row = (await connection.execute(wanted)).mappings().first()
    if row is None or not subject.may("pipeline.read", row["project_id"]):
        raise NotFound("There is no such job.")
    return row


_TOLD = text("""
SELECT task.number, task.rows, task.bytes, task.job_id, job.name AS job, project.uuid AS project,
  source.name AS source, destination.name AS destination, run.status, run.error, run.started_at,
  run.finished_at, project.webhook_alert_url AS project_url,
  job.advanced_settings ->> :name AS job_url
FROM sync_tasks AS task
JOIN runs AS run ON run.id = task.run_id
JOIN sync_jobs AS job ON job.id = task.job_id AND job.deleted_at IS NULL
JOIN projects AS project ON project.id = task.project_id
JOIN sync_sources AS source ON source.id = job.source_id
JOIN sync_destinations AS destination ON destination.id = job.destination_id
WHERE task.run_id = :run_id
""")


async def told_task(run_id: UUID) -> RowMapping | None:
    """What is told of a task, and the addresses that are told; None where the job is gone."""
    async with reading() as connection:
        found = await connection.execute(_TOLD, {"run_id": run_id, "name": WEBHOOK_URL})
        return found.mappings().first()


_TOLD_JOB = text("""
SELECT job.id AS job_id, job.name AS job, project.uuid AS project, source.name AS source,
  destination.name AS destination, job.slot_retained_bytes AS bytes,
  project.webhook_alert_url AS project_url, job.advanced_settings ->> :name AS job_url
FROM sync_jobs AS job
JOIN projects AS project ON project.id = job.project_id
JOIN sync_sources AS source ON source.id = job.source_id
JOIN sync_destinations AS destination ON destination.id = job.destination_id
WHERE job.id = :job_id
""")


async def told_job(job_id: int) -> RowMapping | None:
    """What is told of a job's replication slot, and the addresses that are told."""
    async with reading() as connection:
        found = await connection.execute(_TOLD_JOB, {"job_id": job_id, "name": WEBHOOK_URL})
        return found.mappings().first()


async def spec_of(
    kind: str, type_: str, version: str | None, catalog_type: str | None
) -> dict[str, Any] | None:
    """The spec of a connector: of that version, else of the newest; Invalid for no such catalog."""
    c = connectors.c
    exact = case((c.connector_version == (version or ""), 1), else_=0)
    wanted = select(c.spec).where(c.kind == kind, c.type == type_)
    async with reading() as connection:
        found = await connection.scalar(wanted.order_by(exact.desc(), c.id.desc()).limit(1))
    if found is None or catalog_type is None:
        return found
    return _of_catalog(found, catalog_type)


def _of_catalog(spec: dict[str, Any], catalog_type: str) -> dict[str, Any]:
    """The same spec with one choice of `catalog_type` in the writer; one without such a choice as it is."""
    writer = (spec.get("properties") or {}).get("writer") or {}
    choices = ((writer.get("dependencies") or {}).get("catalog_type") or {}).get("oneOf")
    if choices is None:
        return spec
    meant = [one for one in choices if one["properties"]["catalog_type"]["const"] == catalog_type]
    if not meant:
        raise Invalid(f"There is no catalog {catalog_type[:50]!r}.", path=("catalog",))
    chosen = {**writer["properties"]["catalog_type"], "enum": [catalog_type]}
    properties = {**writer["properties"], "catalog_type": {**chosen, "default": catalog_type}}
    narrowed = {
        **writer,
        "properties": properties,
        "dependencies": {"catalog_type": {"oneOf": meant}},
    }
    return {**spec, "properties": {**spec["properties"], "writer": narrowed}}
