"""Rows for tests, inserted directly: no argon2, no rules, one statement each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, insert, select, update

from app.access.identify import KEY_PREFIX
from app.access.tables import (
    api_keys,
    memberships,
    roles,
    sessions,
    user_group_members,
    user_groups,
    users,
)
from app.content.tables import attachments, lead_groups, leads, organizations
from app.core import db
from app.core.ids import (
    global_id,
    new_token,
    new_trigger_token,
    parse_global_id,
    slug,
    token_hash,
)
from app.ingestion import secrets as sync_secrets
from app.ingestion.secrets import End
from app.ingestion.tables import sync_jobs, sync_streams, sync_tasks
from app.pipelines.tables import (
    backfills,
    blocks,
    pipeline_runs,
    pipelines,
    project_file_versions,
    project_files,
    project_secrets,
    triggers,
)
from app.projects.tables import join_requests, projects
from app.runs.tables import run_events, run_logs, run_steps, runs
from app.semantic import loaded
from app.semantic.tables import semantic_models, semantic_queries

_numbers = count(1)


def unique(word: str) -> str:
    """A name that no other row has."""
    return f"{word}_{next(_numbers)}"


async def row(table: Table, **values: Any) -> dict[str, Any]:
    """Insert one row and return it whole."""
    async with db.engine().begin() as connection:
        result = await connection.execute(insert(table).values(**values).returning(table))
        return dict(result.mappings().one())


async def change(table: Table, row_id: Any, **values: Any) -> None:
    """Change a row behind the program's back."""
    async with db.engine().begin() as connection:
        await connection.execute(update(table).where(table.c.id == row_id).values(**values))


async def values_of(table: Table, row_id: Any) -> dict[str, Any]:
    """A row as it is stored."""
    async with db.reading() as connection:
        found = await connection.execute(select(table).where(table.c.id == row_id))
        return dict(found.mappings().one())


async def project(name: str = "project") -> int:
    """A project without members."""
    uuid = unique(slug(name))
    return int((await row(projects, uuid=uuid, name=uuid))["id"])


async def user(name: str = "user", *, is_owner: bool = False, password_hash: str = "x") -> int:
    """A user who cannot log in, unless a real hash is given."""
    username = unique(name)
    made = await row(
        users,
        username=username,
        email=f"{username}@example.org",
        is_owner=is_owner,
        password_hash=password_hash,
    )
    return int(made["id"])


async def member(project_id: int, user_id: int, role: str) -> int:
    """A membership."""
    async with db.reading() as connection:
        role_id = await connection.scalar(select(roles.c.id).where(roles.c.name == role))
    made = await row(memberships, project_id=project_id, user_id=user_id, role_id=role_id)
    return int(made["id"])


@dataclass(frozen=True)
class Credential:
    """A session or a key with its token."""

    id: int
    token: str


async def session(user_id: int, *, lasts: int = 3600, is_revoked: bool = False) -> Credential:
    """A session that ends in `lasts` seconds."""
    token = new_token()
    now = datetime.now(UTC)
    made = await row(
        sessions,
        user_id=user_id,
        token_hash=token_hash(token),
        expires_at=now + timedelta(seconds=lasts),
        revoked_at=now if is_revoked else None,
    )
    return Credential(int(made["id"]), token)


async def api_key(
    user_id: int, *, scopes: Sequence[str] = (), project_id: int | None = None
) -> Credential:
    """An API key."""
    token = KEY_PREFIX + new_token()
    made = await row(
        api_keys,
        user_id=user_id,
        project_id=project_id,
        name=unique("key"),
        prefix=token[:8],
        token_hash=token_hash(token),
        scopes=list(scopes),
    )
    return Credential(int(made["id"]), token)


async def pipeline(project_id: int, name: str | None = None, **values: Any) -> int:
    """A pipeline without blocks."""
    named = name or unique("pipeline")
    made = await row(pipelines, project_id=project_id, uuid=slug(named), name=named, **values)
    return int(made["id"])


async def block(pipeline_id: int, name: str, upstream: Sequence[str] = (), **values: Any) -> int:
    """A block behind the pipeline's others."""
    owner = await values_of(pipelines, pipeline_id)
    wanted: dict[str, Any] = {"type": "transformer", "position": next(_numbers), **values}
    made = await row(
        blocks,
        project_id=owner["project_id"],
        pipeline_id=pipeline_id,
        uuid=slug(name),
        name=name,
        upstream_blocks=list(upstream),
        **wanted,
    )
    return int(made["id"])


async def trigger(pipeline_id: int, name: str | None = None, **values: Any) -> dict[str, Any]:
    """An API trigger."""
    owner = await values_of(pipelines, pipeline_id)
    wanted: dict[str, Any] = {"type": "api", "token": new_trigger_token(), **values}
    return await row(
        triggers,
        project_id=owner["project_id"],
        pipeline_id=pipeline_id,
        name=name or unique("trigger"),
        **wanted,
    )


async def backfill(pipeline_id: int, name: str = "backfill", **values: Any) -> int:
    """A backfill of two days that has not been started."""
    owner = await values_of(pipelines, pipeline_id)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    given = {"interval_type": "day", "interval_units": 1, "start_at": start, **values}
    made = await row(
        backfills,
        project_id=owner["project_id"],
        pipeline_id=pipeline_id,
        name=name,
        end_at=start + timedelta(days=1),
        **given,
    )
    return int(made["id"])


@dataclass(frozen=True)
class PipelineRun:
    """A run of the ledger with its facet."""

    id: UUID
    number: int
    global_id: str
    steps: Mapping[str, int]


async def run(
    pipeline_id: int,
    *,
    trigger_id: int | None = None,
    status: str = "queued",
    steps: Mapping[str, str] | None = None,
    log: Sequence[str] = (),
    **values: Any,
) -> PipelineRun:
    """A pipeline run with steps (name -> status), one event and the given log lines.

    A queued one lies in the future, so that no worker of another test takes it.
    """
    owner = await values_of(pipelines, pipeline_id)
    project_id = owner["project_id"]
    later = datetime.now(UTC) + timedelta(days=1)
    wanted = {"available_at": later, "version": 1, "params": {}, **values}
    made = await row(
        runs,
        project_id=project_id,
        kind="pipeline",
        subject_id=pipeline_id,
        status=status,
        **wanted,
    )
    facet = await row(
        pipeline_runs,
        run_id=made["id"],
        project_id=project_id,
        pipeline_id=pipeline_id,
        pipeline_uuid=owner["uuid"],
        trigger_id=trigger_id,
        variables={},
    )
    own = {"run_id": made["id"], "project_id": project_id}
    stepped = {}
    for position, (name, state) in enumerate((steps or {}).items()):
        step = await row(run_steps, **own, name=name, status=state, position=position, outputs=[])
        stepped[name] = int(step["id"])
    await row(run_events, **own, seq=1, kind="run.queued", status=status)
    for seq, message in enumerate(log, 1):
        await row(run_logs, **own, seq=seq, message=message, level="INFO")
    return PipelineRun(
        made["id"], int(facet["number"]), global_id("PipelineRun", made["id"]), stepped
    )


async def project_file(project_id: int, path: str | None = None, content: str = "text") -> int:
    """A project file without versions."""
    made = await row(
        project_files,
        project_id=project_id,
        path=path or unique("file"),
        content=content,
        sha256="",
        bytes=len(content),
    )
    return int(made["id"])


async def project_file_version(file_id: int, version: int = 1) -> int:
    """An earlier version of a project file."""
    owner = await values_of(project_files, file_id)
    made = await row(
        project_file_versions,
        project_id=owner["project_id"],
        file_id=file_id,
        path=owner["path"],
        version=version,
        content="earlier",
        sha256="",
    )
    return int(made["id"])


async def project_secret(project_id: int, name: str | None = None) -> int:
    """A secret that no key opens."""
    named = name or unique("secret")
    made = await row(project_secrets, project_id=project_id, name=named, sealed="v1")
    return int(made["id"])


async def audit_count() -> int:
    """How many audit rows there are."""
    from app.core.audit import audit_log

    async with db.reading() as connection:
        return len((await connection.execute(select(audit_log.c.id))).all())


def run_key(run_global_id: str) -> UUID:
    """The ledger's key of a run's global id."""
    parsed = parse_global_id(run_global_id)
    assert parsed is not None
    return UUID(parsed[1])


def key_of(any_global_id: str) -> str:
    """The row key of a global id, as text."""
    parsed = parse_global_id(any_global_id)
    assert parsed is not None
    return parsed[1]


CATALOG = {
    "selected_streams": {
        "public": [
            {"stream_name": "calls", "normalization": True},
            {"stream_name": "ships", "normalization": True},
        ]
    },
    "streams": [
        {
            "stream": {
                "namespace": "public",
                "name": name,
                "sync_mode": "full_refresh",
                "destination_database": "lake:public",
                "destination_table": name,
            }
        }
        for name in ("calls", "ships", "docks")
    ],
}
"""Two selected streams and one that is not."""
POSTGRES = {"host": "db", "database": "harbour", "username": "reader", "password": "pw-of-tests"}
ENDS: tuple[End, End] = ("source", "destination")
PARQUET = {"type": "PARQUET", "writer": {"local_path": "lake"}}


async def sync_end(
    end: End, project_id: int, name: str | None = None, config: Any = None, **values: Any
) -> int:
    """A PostgreSQL source or a Parquet destination."""
    table = sync_secrets.TABLES[end]
    given = config or (POSTGRES if end == "source" else PARQUET)
    wanted: dict[str, Any] = {
        "type": "postgres" if end == "source" else "parquet",
        "connector_version": "v0.9.4",
        "sealed": "",
        "shown_config": {},
        **values,
    }
    made = await row(table, project_id=project_id, name=name or unique(end), **wanted)
    sealed = sync_secrets.seal(given, sync_secrets.place(end, made["id"]))
    spec = {"properties": {"password": {"format": "password"}}}
    shown = sync_secrets.shown(given, spec, end, made["id"])
    await change(table, made["id"], sealed=sealed, shown_config=shown)
    return int(made["id"])


async def sync_job(project_id: int, name: str | None = None, **values: Any) -> int:
    """A job with ends and streams of its own, which only calls start."""
    wanted: dict[str, Any] = {"streams": CATALOG, **values}
    for end in ENDS:
        if f"{end}_id" not in wanted:
            wanted[f"{end}_id"] = await sync_end(end, project_id)
    made = await row(sync_jobs, project_id=project_id, name=name or unique("job"), **wanted)
    for position, stream in enumerate(("calls", "ships", "docks")):
        await row(
            sync_streams,
            project_id=project_id,
            job_id=made["id"],
            position=position,
            namespace="public",
            name=stream,
            is_selected=stream != "docks",
            sync_mode="full_refresh",
        )
    return int(made["id"])


async def stream_of(job_id: int, name: str = "calls") -> int:
    """The id of a job's stream."""
    async with db.reading() as connection:
        same = (sync_streams.c.job_id == job_id, sync_streams.c.name == name)
        return int(await connection.scalar(select(sync_streams.c.id).where(*same)) or 0)


async def sync_task(
    job_id: int, status: str = "queued", job_type: str = "sync", **values: Any
) -> UUID:
    """A task of a job; a queued one lies in the future, so that no worker takes it."""
    job = await values_of(sync_jobs, job_id)
    later = datetime.now(UTC) + timedelta(days=1)
    own = {"project_id": job["project_id"]}
    wanted = {"available_at": later, "version": 1, "params": {}, **values}
    made = await row(runs, **own, kind=job_type, subject_id=job_id, status=status, **wanted)
    await row(sync_tasks, **own, run_id=made["id"], job_id=job_id, job_type=job_type)
    await row(run_events, **own, run_id=made["id"], seq=1, kind="run.queued", status=status)
    await change(sync_jobs, job_id, last_run_id=made["id"])
    return UUID(str(made["id"]))


async def sync_webhook(job_id: int) -> UUID:
    """A message about a sync that has been sent."""
    job = await values_of(sync_jobs, job_id)
    own = {"project_id": job["project_id"], "subject_id": job_id, "status": "succeeded"}
    params = {"event": "sync.started", "to": "job", "number": 1}
    made = await row(runs, **own, kind="sync_webhook", params=params)
    return UUID(str(made["id"]))


async def probe(project_id: int) -> UUID:
    """A test of a source that has ended."""
    made = await row(
        runs, project_id=project_id, kind="check", status="succeeded", params={"type": "postgres"}
    )
    return UUID(str(made["id"]))


async def lead(project_id: int, title: str | None = None, **values: Any) -> int:
    """A lead."""
    made = await row(leads, project_id=project_id, title=title or unique("lead"), **values)
    return int(made["id"])


async def lead_group(project_id: int) -> int:
    """A group without leads."""
    return int((await row(lead_groups, project_id=project_id, title=unique("group")))["id"])


async def organization(**values: Any) -> int:
    """An organisation."""
    return int((await row(organizations, **{"title": unique("organization"), **values}))["id"])


async def attachment(user_id: int | None, **values: Any) -> int:
    """An attachment whose file is not there."""
    given = {
        "title": "a.txt",
        "mime_type": "text/plain",
        "bytes": 1,
        "md5": unique("md5"),
        **values,
    }
    return int((await row(attachments, created_by=user_id, **given))["id"])


async def user_group(*admins: int) -> int:
    """A group of users."""
    made = await row(user_groups, title=unique("users"))
    for user_id in admins:
        await group_member(made["id"], user_id, is_admin=True)
    return int(made["id"])


async def group_member(group_id: int, user_id: int, *, is_admin: bool = False) -> int:
    """A user in a group."""
    made = await row(user_group_members, group_id=group_id, user_id=user_id, is_admin=is_admin)
    return int(made["id"])


async def join_request(project_id: int, user_id: int) -> int:
    """A wish to join a project."""
    return int((await row(join_requests, project_id=project_id, user_id=user_id))["id"])


MODEL = """
tables:
  - name: {name}
    sql: select * from {name}
    dimensions:
      - name: city
        sql: city
        type: string
    measures:
      - name: count
        type: count
"""


async def semantic_model(project_id: int, name: str = "harbours") -> int:
    """The next version of a project's model, of one table."""
    c = semantic_models.c
    async with db.reading() as connection:
        counted = select(func.count()).where(c.project_id == project_id)
        version = int(await connection.scalar(counted) or 0) + 1
    files = {f"tables/{name}.yml": MODEL.format(name=name)}
    made = await row(semantic_models, project_id=project_id, version=version, files=files)
    loaded.forget_all()
    return int(made["id"])


async def semantic_query(project_id: int, sql: str = "SELECT 1", state: str = "queued") -> int:
    """A query that nobody asks for any more, so that no lane takes it."""
    key = unique("query")
    own = {"project_id": project_id, "key": key, "state": state, "sql": sql, "values": []}
    where = {"data_source": "default", "place": "warehouse", "dialect": "postgres"}
    long_ago = datetime.now(UTC) - timedelta(hours=12)
    return int((await row(semantic_queries, **own, **where, asked_at=long_ago))["id"])
