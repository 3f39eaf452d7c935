"""Verbs of pipelines."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, select, update

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.ids import slug
from app.core.rules import Subject
from app.pipelines.actions._shared import (
    blocks_of,
    check_name,
    check_objects,
    check_values,
    lock_pipeline,
)
from app.pipelines.actions.blocks import set_blocks
from app.pipelines.actions.triggers import activation, cancel_held
from app.pipelines.kinds import PIPELINE_TYPES
from app.pipelines.limits import check_concurrency, refresh
from app.pipelines.tables import blocks, pipeline_runs, pipelines, triggers
from app.projects.actions import lock_project

_OBJECTS = (
    "variables",
    "settings",
    "concurrency_config",
    "retry_config",
    "notification_config",
    "executor_config",
)


async def create_pipeline(subject: Subject, project_id: int, values: Mapping[str, Any]) -> int:
    """Make a pipeline; its uuid is made from its name.

    Invalid NAME_TAKEN where the project has one of that uuid.
    """
    subject.require_known()
    checked = _checked(values)
    uuid = slug(check_name(checked.get("name"), "A pipeline"))
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        if await _taken(tx, project_id, uuid):
            raise Invalid(f"Pipeline {uuid} already exists.", "NAME_TAKEN", path=("name",))
        row = await insert_row(
            tx,
            pipelines,
            {**checked, "uuid": uuid, "project_id": project_id, "created_by": subject.user_id},
        )
        await tx.audit("pipeline.create", "Pipeline", row["id"], project_id=project_id)
    return int(row["id"])


async def clone_pipeline(
    subject: Subject, project_id: int, source_uuid: str, name: str | None
) -> int:
    """Make a copy of a project's pipeline with its blocks; triggers are not copied."""
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        source = await lock_pipeline(tx, "pipeline.write", uuid=source_uuid, project_id=project_id)
        wanted = name or f"{source['name']} copy"
        uuid = slug(check_name(wanted, "A pipeline"))
        if await _taken(tx, project_id, uuid):
            raise Invalid(f"Pipeline {uuid} already exists.", "NAME_TAKEN", path=("name",))
        left_out = {"id", "uuid", "name", "created_at", "updated_at", "version", "created_by"}
        copied = {k: v for k, v in source.items() if k not in left_out}
        row = await insert_row(
            tx,
            pipelines,
            {**copied, "uuid": uuid, "name": wanted, "created_by": subject.user_id},
        )
        for block in await blocks_of(tx, source["id"]):
            skipped = {"id", "created_at", "updated_at", "version"}
            fields = {k: v for k, v in block.items() if k not in skipped}
            await insert_row(tx, blocks, {**fields, "pipeline_id": row["id"]})
        await tx.audit("pipeline.create", "Pipeline", row["id"], project_id=project_id)
    return int(row["id"])


async def update_pipeline(
    subject: Subject,
    values: Mapping[str, Any],
    *,
    pipeline_id: int | None = None,
    uuid: str = "",
    block_contents: Sequence[Mapping[str, Any]] = (),
    triggers_status: str | None = None,
    expected_version: int | None = None,
) -> int:
    """Change a pipeline; a new name gives it a new uuid, and triggers and runs follow.

    `block_contents` sets code and upstream blocks of blocks ({uuid, content, upstream_blocks}; what
    is None stays); `triggers_status` switches all of the pipeline's triggers.
    """
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        row = await lock_pipeline(tx, "pipeline.write", pipeline_id=pipeline_id, uuid=uuid)
        if "name" in checked:
            await _rename(tx, row, checked)
        changed = await update_row(tx, pipelines, row, checked, expected_version)
        if changed["uuid"] != row["uuid"]:
            await tx.execute(
                update(pipeline_runs)
                .where(pipeline_runs.c.pipeline_id == row["id"])
                .values(pipeline_uuid=changed["uuid"])
            )
        if "concurrency_config" in checked:
            await refresh(tx, changed)
        await set_blocks(tx, changed, block_contents)
        if triggers_status is not None:
            await _switch_triggers(tx, row["id"], triggers_status)
        fields = [*sorted(checked), *(["blocks"] if block_contents else [])]
        fields += ["triggers"] if triggers_status else []
        await tx.audit(
            "pipeline.update",
            "Pipeline",
            row["id"],
            project_id=row["project_id"],
            fields=fields,
        )
    return int(row["id"])


async def delete_pipeline(
    subject: Subject, *, pipeline_id: int | None = None, uuid: str = ""
) -> int:
    """Delete a pipeline with its blocks and triggers; its runs stay readable, those on hold are
    cancelled."""
    async with db.transaction(subject) as tx:
        row = await lock_pipeline(tx, "pipeline.write", pipeline_id=pipeline_id, uuid=uuid)
        await drop_pipeline(tx, row)
    return int(row["id"])


async def drop_pipeline(tx: db.Tx, row: RowMapping) -> None:
    """Delete a pipeline whose row is locked."""
    # In the order of those who start runs, who hold a trigger and then refer to its pipeline.
    started_by = select(triggers.c.id).where(triggers.c.pipeline_id == row["id"])
    await tx.all(started_by.with_for_update())
    await cancel_held(tx, row["id"])
    await delete_row(tx, pipelines, row["id"])
    await tx.audit("pipeline.delete", "Pipeline", row["id"], project_id=row["project_id"])


async def _rename(tx: db.Tx, row: RowMapping, checked: dict[str, Any]) -> None:
    uuid = slug(check_name(checked["name"], "A pipeline"))
    if uuid == row["uuid"]:
        return
    if await _taken(tx, row["project_id"], uuid):
        raise Invalid(
            f"Pipeline {uuid} already exists. Choose a different name.",
            "NAME_TAKEN",
            path=("name",),
        )
    checked["uuid"] = uuid


async def _taken(tx: db.Tx, project_id: int, uuid: str) -> bool:
    statement = select(pipelines.c.id).where(
        pipelines.c.project_id == project_id, pipelines.c.uuid == uuid
    )
    return await tx.one(statement) is not None


async def _switch_triggers(tx: db.Tx, pipeline_id: int, status: str) -> None:
    statement = select(triggers).where(triggers.c.pipeline_id == pipeline_id)
    for trigger in await tx.all(statement.with_for_update()):
        if trigger["status"] != status:
            await update_row(tx, triggers, trigger, await activation(tx, trigger, status))


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    check_values(checked)
    check_objects(checked, *_OBJECTS)
    check_concurrency(checked.get("concurrency_config") or {})
    kind = checked.get("type")
    if kind is not None and kind not in PIPELINE_TYPES:
        known = ", ".join(PIPELINE_TYPES)
        raise Invalid(f"There is no pipeline type {kind}. Known: {known}.", path=("type",))
    if kind is None:
        checked.pop("type", None)
    return checked
