"""A project as the database holds it."""

from collections import defaultdict
from typing import Any

from sqlalchemy import RowMapping, select

from app.access.installation import keys
from app.cli.mage_project.model import MageProject
from app.cli.mage_project.pipeline_yaml import OBJECTS
from app.core.db import reading
from app.core.errors import NotFound
from app.pipelines.actions.files import FileText, file_place
from app.pipelines.actions.whole import Values, WholePipeline, trigger_names
from app.pipelines.tables import blocks, pipelines, project_files, project_secrets, triggers
from app.projects.tables import projects

_PIPELINE = (
    *("name", "type", "description", "tags", "settings", "data_integration", "created_at"),
    *("executor_type", "executor_count", "run_pipeline_in_one_process"),
    *("cache_block_output_in_memory", *OBJECTS),
)
_BLOCK = (
    *("name", "type", "language", "content", "upstream_blocks", "color", "timeout_s", "status"),
    *("executor_type", "executor_config", "retry_config", "configuration", "has_callback"),
)
_TRIGGER = (
    *("description", "type", "interval", "start_at", "status", "variables", "settings", "sla"),
    *("token", "global_data_product_uuid", "last_enabled_at", "timezone", "event_matchers"),
)


async def find_project(uuid: str) -> RowMapping:
    """The project of that uuid, or the first one; NotFound lists those that there are."""
    async with reading() as connection:
        rows = await connection.execute(select(projects).order_by(projects.c.id))
        found = list(rows.mappings())
    for row in found:
        if not uuid or row["uuid"] == uuid:
            return row
    known = ", ".join(row["uuid"] for row in found)
    raise NotFound(f"There is no project {uuid}. There are: {known}.")


async def read_stored(project: RowMapping) -> MageProject:
    """All that an export writes, secret files opened; SecretError where the key ring cannot."""
    own = project["id"]
    async with reading() as connection:

        async def rows(table: Any, *order: Any) -> list[RowMapping]:
            statement = select(table).where(table.c.project_id == own).order_by(*order)
            return list((await connection.execute(statement)).mappings())

        owners = await rows(pipelines, pipelines.c.uuid)
        by_pipeline: dict[int, list[RowMapping]] = defaultdict(list)
        for block in await rows(blocks, blocks.c.position, blocks.c.id):
            by_pipeline[block["pipeline_id"]].append(block)
        starters: dict[int, list[RowMapping]] = defaultdict(list)
        for trigger in await rows(triggers, triggers.c.id):
            starters[trigger["pipeline_id"]].append(trigger)
        files = await rows(project_files, project_files.c.path)
    found = {
        row["uuid"]: _pipeline(row, by_pipeline[row["id"]], starters[row["id"]]) for row in owners
    }
    return MageProject(project["folder"], found, {row["path"]: _file(row) for row in files})


async def secret_names(project: RowMapping) -> set[str]:
    """Names of a project's secrets."""
    named = select(project_secrets.c.name).where(project_secrets.c.project_id == project["id"])
    async with reading() as connection:
        return set((await connection.scalars(named)).all())


def _pipeline(row: RowMapping, own: list[RowMapping], starters: list[RowMapping]) -> WholePipeline:
    return WholePipeline(
        {name: row[name] for name in _PIPELINE},
        {block["uuid"]: {name: block[name] for name in _BLOCK} for block in own},
        dict(zip(trigger_names(starters), map(_trigger, starters), strict=True)),
    )


def _trigger(row: RowMapping) -> Values:
    values = {name: row[name] for name in _TRIGGER}
    return {**values, "variables": row["variables"] or {}, "settings": row["settings"] or {}}


def _file(row: RowMapping) -> FileText:
    if row["sealed"] is None:
        return FileText(row["content"], False)
    place = file_place(row["project_id"], row["path"])
    return FileText(keys().ring.open(row["sealed"], place), True)
