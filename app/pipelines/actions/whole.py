"""Verbs that bring whole pipelines and files to a wanted state: what an import does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Table, select

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.ids import new_trigger_token
from app.core.rules import Subject
from app.pipelines import dag, limits, schedule
from app.pipelines.actions._shared import blocks_of, check_name, check_objects, check_values
from app.pipelines.actions.blocks import MAX_BLOCKS
from app.pipelines.actions.files import FileText, drop_files, write_files
from app.pipelines.actions.pipelines import drop_pipeline
from app.pipelines.actions.triggers import (
    MAX_TRIGGERS,
    MOVES_FIRE,
    SECONDS,
    activation,
    check_settings,
    drop_trigger,
)
from app.pipelines.kinds import BLOCK_TYPES, LANGUAGES, PIPELINE_TYPES, TRIGGER_TYPES
from app.pipelines.tables import blocks, pipelines, triggers
from app.projects.actions import is_folder_name, lock_project
from app.projects.tables import projects

Values = Mapping[str, Any]
AUDITED_PATHS = 100


@dataclass(frozen=True)
class WholePipeline:
    """A pipeline with all that belongs to it, as columns of the tables.

    A `created_at` among the values is for a new pipeline only. Blocks are by uuid, in order, and triggers by name (`trigger_names`). A trigger without a
    token keeps the one that it has, or gets one.
    """

    values: Values
    blocks: Mapping[str, Values]
    triggers: Mapping[str, Values]


@dataclass(frozen=True)
class Parts:
    """Pipelines by uuid, pairs of a pipeline's uuid and the name of a block or trigger, files."""

    pipelines: Sequence[str] = ()
    blocks: Sequence[tuple[str, str]] = ()
    triggers: Sequence[tuple[str, str]] = ()
    files: Sequence[str] = ()


@dataclass(frozen=True)
class WholeProject:
    """What an import writes, pipelines by uuid and files by path, and what it deletes."""

    folder: str | None = None
    pipelines: Mapping[str, WholePipeline] = field(default_factory=dict)
    files: Mapping[str, FileText] = field(default_factory=dict)
    dropped: Parts = Parts()


async def write_project(subject: Subject, project_id: int, whole: WholeProject) -> None:
    """Bring a project to the given state, all of it or nothing; what is not named stays."""
    async with db.transaction(subject) as tx:
        project = await lock_project(tx, project_id, "pipeline.write")
        if whole.folder is not None and whole.folder != project["folder"]:
            await _name_folder(tx, project, whole.folder)
        for uuid in whole.dropped.pipelines:
            row = await _find(tx, project_id, uuid)
            if row is not None:
                await drop_pipeline(tx, row)
        for uuid, pipeline in whole.pipelines.items():
            await _write_pipeline(tx, project_id, uuid, pipeline, whole.dropped)
        await _write_files(tx, project_id, whole)


async def _name_folder(tx: db.Tx, project: RowMapping, folder: str) -> None:
    own = project["id"]
    if not is_folder_name(folder):
        raise Invalid(f"{folder!r} cannot be a project's folder.", path=("folder",))
    tx.subject.require("project.write", own)
    await update_row(tx, projects, project, {"folder": folder})
    await tx.audit("project.update", "Project", own, project_id=own, fields=["folder"])


async def _write_files(tx: db.Tx, project_id: int, whole: WholeProject) -> None:
    await drop_files(tx, project_id, whole.dropped.files)
    await write_files(tx, project_id, whole.files)
    changed = sorted({*whole.files, *whole.dropped.files})[:AUDITED_PATHS]
    if changed:
        await tx.audit(
            "project_file.import", "Project", project_id, project_id=project_id, fields=changed
        )


def trigger_names(rows: Iterable[RowMapping]) -> list[str]:
    """Names that tell a pipeline's triggers apart: the second `a` of them is `a (2)`."""
    seen: dict[str, int] = {}
    names = []
    for row in rows:
        name = str(row["name"])
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


async def _write_pipeline(
    tx: db.Tx, project_id: int, uuid: str, wanted: WholePipeline, dropped: Parts
) -> None:
    try:
        check_name(uuid, "A pipeline")
        _check_pipeline(wanted)
    except Invalid as fault:
        raise Invalid(f"Pipeline {uuid[:100]}: {fault}", fault.reason, path=fault.path) from fault
    row = await _find(tx, project_id, uuid)
    if row is None:
        own = {"uuid": uuid, "project_id": project_id, "created_by": tx.subject.user_id}
        row = await insert_row(tx, pipelines, {**wanted.values, **own})
    else:
        values = {name: v for name, v in wanted.values.items() if name != "created_at"}
        row = await _changed(tx, pipelines, row, values)
        if "concurrency_config" in values:
            await limits.refresh(tx, row)
    gone = {name for owner, name in dropped.blocks if owner == uuid}
    await _write_blocks(tx, row, wanted.blocks, gone)
    gone = {name for owner, name in dropped.triggers if owner == uuid}
    await _write_triggers(tx, row, wanted.triggers, gone)
    await tx.audit("pipeline.import", "Pipeline", row["id"], project_id=project_id)


async def _find(tx: db.Tx, project_id: int, uuid: str) -> RowMapping | None:
    named = (pipelines.c.project_id == project_id) & (pipelines.c.uuid == uuid)
    return await tx.one(select(pipelines).where(named).with_for_update(key_share=True))


async def _changed(tx: db.Tx, table: Table, row: RowMapping, values: Values) -> RowMapping:
    changes = {name: value for name, value in values.items() if row[name] != value}
    return await update_row(tx, table, row, changes) if changes else row


async def _write_blocks(
    tx: db.Tx, pipeline: RowMapping, wanted: Mapping[str, Values], dropped: set[str]
) -> None:
    present = {row["uuid"]: row for row in await blocks_of(tx, pipeline["id"])}
    own = {"project_id": pipeline["project_id"], "pipeline_id": pipeline["id"]}
    for position, (uuid, values) in enumerate(wanted.items()):
        placed = {**values, "position": position}
        if uuid not in present:
            made = {"status": "updated", **placed, **own, "uuid": uuid}
            await insert_row(tx, blocks, made)
            continue
        row = present.pop(uuid)
        if row["content"] != values["content"]:
            placed["status"] = "updated"
        await _changed(tx, blocks, row, placed)
    for position, row in enumerate(present.values(), len(wanted)):
        if row["uuid"] in dropped:
            await delete_row(tx, blocks, row["id"])
        else:
            await _changed(tx, blocks, row, {"position": position})
    after = {row["uuid"]: row["upstream_blocks"] for row in await blocks_of(tx, pipeline["id"])}
    cycle = dag.find_cycle(after)
    if cycle:
        raise Invalid(f"Blocks of {pipeline['uuid']} form a circle: {' --> '.join(cycle)}", "CYCLE")


async def _write_triggers(
    tx: db.Tx, pipeline: RowMapping, wanted: Mapping[str, Values], dropped: set[str]
) -> None:
    listed = select(triggers).where(triggers.c.pipeline_id == pipeline["id"])
    rows = list(await tx.all(listed.order_by(triggers.c.id).with_for_update()))
    present = dict(zip(trigger_names(rows), rows, strict=True))
    own = {"project_id": pipeline["project_id"], "pipeline_id": pipeline["id"]}
    for name, values in wanted.items():
        given = dict(values)
        status = given.pop("status", None)
        row = present.pop(name, None)
        before = row
        if row is None:
            made = {"token": new_trigger_token(), **given, **own, "created_by": tx.subject.user_id}
            row = await insert_row(tx, triggers, {**made, "name": name})
            status = status or "inactive"
        else:
            row = await _changed(tx, triggers, row, given)
        await _schedule(tx, before, row, status or row["status"])
    for name in dropped & set(present):
        await drop_trigger(tx, present[name])


async def _schedule(tx: db.Tx, before: RowMapping | None, row: RowMapping, status: str) -> None:
    """Switch a trigger as wanted; an active one whose times changed starts anew from now."""
    moved = before is None or any(before[name] != row[name] for name in MOVES_FIRE)
    if status != row["status"] or (status == "active" and moved):
        await update_row(tx, triggers, row, await activation(tx, row, status))


def _check_pipeline(wanted: WholePipeline) -> None:
    check_name(wanted.values.get("name"), "A pipeline")
    _check(wanted.values, "type", PIPELINE_TYPES)
    limits.check_concurrency(wanted.values.get("concurrency_config") or {})
    if len(wanted.blocks) > MAX_BLOCKS:
        raise Invalid(f"A pipeline has at most {MAX_BLOCKS} blocks.")
    if len(wanted.triggers) > MAX_TRIGGERS:
        raise Invalid(f"A pipeline has at most {MAX_TRIGGERS} triggers.")
    for uuid, block in wanted.blocks.items():
        check_name(uuid, "A block")
        check_name(block.get("name"), "A block")
        check_objects(block, "configuration", "executor_config", "retry_config")
        _check(block, "type", BLOCK_TYPES)
        _check(block, "language", LANGUAGES)
        _check_seconds(block.get("timeout_s"), "timeout")
    for name, trigger in wanted.triggers.items():
        check_name(name, "A trigger")
        check_objects(trigger, "variables", "settings")
        _check(trigger, "type", TRIGGER_TYPES)
        check_settings(trigger.get("settings") or {})
        _check_seconds(trigger.get("sla"), "sla")
        if trigger.get("interval") is not None:
            schedule.check_interval(trigger["interval"])


def _check_seconds(value: Any, name: str) -> None:
    if value is not None and (type(value) is not int or value not in SECONDS):
        raise Invalid(f"{name} must be a number of seconds.", path=(name,))


def _check(values: Values, name: str, known: Sequence[str]) -> None:
    check_values(values)
    if values.get(name) not in known:
        raise Invalid(f"There is no {name} {values.get(name)}.", path=(name,))
