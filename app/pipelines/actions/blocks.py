"""Verbs of blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, func, update

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.ids import slug
from app.core.rules import Subject
from app.pipelines import dag
from app.pipelines.actions._shared import (
    NAME_LENGTH,
    blocks_of,
    check_name,
    check_objects,
    check_values,
    lock_pipeline,
)
from app.pipelines.kinds import ATTACHED, BLOCK_TYPES, LANGUAGES, template
from app.pipelines.paths import block_path
from app.pipelines.tables import blocks

MAX_BLOCKS = 500


async def create_block(
    subject: Subject,
    values: Mapping[str, Any],
    *,
    pipeline_id: int | None = None,
    pipeline_uuid: str = "",
    downstream: Sequence[str] | None = None,
    priority: int | None = None,
) -> int:
    """Add a block to a pipeline, with a template where no content is given.

    Unknown names in upstream_blocks are dropped. `priority` is its place among the blocks.
    """
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(
            tx, "pipeline.write", pipeline_id=pipeline_id, uuid=pipeline_uuid
        )
        present = await blocks_of(tx, pipeline["id"])
        if len(present) >= MAX_BLOCKS:
            raise Invalid(f"A pipeline has at most {MAX_BLOCKS} blocks.")
        name = check_name(checked.get("name"), "A block")
        uuid = slug(name)
        known = {row["uuid"]: row for row in present}
        if uuid in known:
            raise Invalid(
                _exists(uuid, pipeline, known[uuid], checked), "NAME_TAKEN", path=("name",)
            )
        language = checked.get("language") or "python"
        content = checked.get("content")
        checked |= {
            "uuid": uuid,
            "language": language,
            "content": template(checked["type"], language) if content is None else content,
            "status": "not_executed" if content is None else "updated",
            "upstream_blocks": [
                u for u in dict.fromkeys(checked.get("upstream_blocks") or []) if u in known
            ],
            "position": _position(present, priority),
            "project_id": pipeline["project_id"],
            "pipeline_id": pipeline["id"],
        }
        if priority is not None:
            await tx.execute(
                update(blocks)
                .where(
                    blocks.c.pipeline_id == pipeline["id"],
                    blocks.c.position >= checked["position"],
                )
                .values(position=blocks.c.position + 1)
            )
        row = await insert_row(tx, blocks, checked)
        if downstream:
            await _set_downstream(tx, row, downstream)
        await tx.audit("block.create", "Block", row["id"], project_id=pipeline["project_id"])
    return int(row["id"])


async def update_block(
    subject: Subject,
    values: Mapping[str, Any],
    *,
    block_uuid: str = "",
    block_id: int | None = None,
    pipeline_id: int | None = None,
    pipeline_uuid: str = "",
    downstream: Sequence[str] | None = None,
    attached: Mapping[str, Sequence[str]] | None = None,
    expected_version: int | None = None,
) -> int:
    """Change a block. A new name gives it a new uuid, and the blocks that name it follow.

    Invalid CYCLE where upstream_blocks would close a circle; nothing is changed then. `attached`
    maps `callback` and `conditional` to the uuids of the blocks to attach to this one.
    """
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(
            tx, "pipeline.write", pipeline_id=pipeline_id, uuid=pipeline_uuid
        )
        present = await blocks_of(tx, pipeline["id"])
        row = _find(present, pipeline, block_uuid, block_id)
        known = {b["uuid"] for b in present}
        if "name" in checked:
            await _rename(tx, present, row, checked)
        if "upstream_blocks" in checked:
            kept = [u for u in checked["upstream_blocks"] or [] if u in known]
            checked["upstream_blocks"] = list(dict.fromkeys(kept))
            _refuse_cycle(present, row["uuid"], checked["upstream_blocks"])
        if "content" in checked:
            checked["status"] = "updated"
        changed = await update_row(tx, blocks, row, checked, expected_version)
        if downstream is not None:
            await _set_downstream(tx, changed, downstream)
        for kind, uuids in (attached or {}).items():
            await _attach(tx, changed, kind, uuids)
        await tx.audit(
            "block.update",
            "Block",
            row["id"],
            project_id=row["project_id"],
            fields=sorted(checked),
        )
    return int(row["id"])


async def delete_block(
    subject: Subject,
    *,
    block_uuid: str = "",
    block_id: int | None = None,
    pipeline_id: int | None = None,
    pipeline_uuid: str = "",
    force: bool = False,
) -> int:
    """Delete a block.

    Invalid HAS_DEPENDENTS where other blocks take its output; with `force` these take over its
    upstream blocks.
    """
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(
            tx, "pipeline.write", pipeline_id=pipeline_id, uuid=pipeline_uuid
        )
        present = await blocks_of(tx, pipeline["id"])
        row = _find(present, pipeline, block_uuid, block_id)
        using = [b for b in present if row["uuid"] in b["upstream_blocks"]]
        dependents = [b for b in using if b["type"] not in ATTACHED]
        if dependents and not force:
            named = str([b["uuid"] for b in dependents])
            raise Invalid(
                f"Block(s) {named} are depending on block {row['uuid']}. "
                "Please remove the downstream blocks first.",
                "HAS_DEPENDENTS",
            )
        for block in using:
            inherited = row["upstream_blocks"] if block["type"] not in ATTACHED else []
            spliced = _splice(block["upstream_blocks"], row["uuid"], inherited)
            await update_row(tx, blocks, block, {"upstream_blocks": spliced})
        await delete_row(tx, blocks, row["id"])
        await tx.audit("block.delete", "Block", row["id"], project_id=row["project_id"])
    return int(row["id"])


async def set_blocks(tx: db.Tx, pipeline: RowMapping, items: Sequence[Mapping[str, Any]]) -> None:
    """Set code and upstream blocks ({uuid, content, upstream_blocks}) of several blocks at once.

    None leaves a thing as it is. Invalid BLOCK_UNKNOWN, or CYCLE for what all together would form.
    """
    present = await blocks_of(tx, pipeline["id"])
    known = {row["uuid"] for row in present}
    for item in items:
        row = _find(present, pipeline, item["uuid"], None)
        changes = {k: item[k] for k in ("content", "upstream_blocks") if item[k] is not None}
        check_values(changes)
        if "upstream_blocks" in changes:
            kept = [u for u in changes["upstream_blocks"] if u in known]
            changes["upstream_blocks"] = list(dict.fromkeys(kept))
        if "content" in changes:
            changes["status"] = "updated"
        if changes:
            await update_row(tx, blocks, row, changes)
    if any(item["upstream_blocks"] is not None for item in items):
        now = await blocks_of(tx, pipeline["id"])
        _refuse_circle({row["uuid"]: row["upstream_blocks"] for row in now})


async def note_executions(tx: db.Tx, succeeded: Sequence[int], failed: Sequence[int]) -> None:
    """Keep with each block how it ended last."""
    for ids, status in ((succeeded, "executed"), (failed, "failed")):
        if ids:
            await tx.execute(update(blocks).where(blocks.c.id.in_(ids)).values(status=status))


def _position(present: Sequence[RowMapping], priority: int | None) -> int:
    """The position of a new block that has `priority` blocks before it; deletions leave gaps."""
    if not present:
        return 0
    if priority is None or priority >= len(present):
        return int(present[-1]["position"]) + 1
    return int(present[max(0, priority)]["position"])


def _find(
    present: list[RowMapping], pipeline: RowMapping, uuid: str, block_id: int | None
) -> RowMapping:
    for row in present:
        if row["id"] == block_id or (block_id is None and row["uuid"] == uuid):
            return row
    named = f"Block {uuid[:NAME_LENGTH]}" if uuid else "The block"
    raise Invalid(f"{named} does not exist in pipeline {pipeline['uuid']}.", "BLOCK_UNKNOWN")


def _exists(uuid: str, pipeline: RowMapping, other: RowMapping, checked: Mapping[str, Any]) -> str:
    if other["type"] != checked["type"]:
        return f"Block with uuid {uuid} already exists in pipeline {pipeline['uuid']}"
    return f"[ERR_BLOCK_EXISTS] Block {uuid} already exists. Please use a different name."


async def _rename(
    tx: db.Tx, present: list[RowMapping], row: RowMapping, checked: dict[str, Any]
) -> None:
    uuid = slug(check_name(checked["name"], "A block"))
    if uuid == row["uuid"]:
        return
    if any(b["uuid"] == uuid for b in present):
        raise Invalid(
            f"Block {uuid} already exists in pipeline. Please use a different name.",
            "NAME_TAKEN",
            path=("name",),
        )
    path = block_path(row["type"], row["language"], uuid)
    configuration = checked.get("configuration", row["configuration"]) or {}
    checked["uuid"] = uuid
    checked["configuration"] = {
        **configuration,
        "file_path": path,
        "file_source": {"path": path},
    }
    await tx.execute(
        update(blocks)
        .where(
            blocks.c.pipeline_id == row["pipeline_id"],
            blocks.c.upstream_blocks.contains([row["uuid"]]),
        )
        .values(
            upstream_blocks=func.array_replace(blocks.c.upstream_blocks, row["uuid"], uuid),
            version=blocks.c.version + 1,
            updated_at=func.now(),
        )
    )


def _refuse_cycle(present: list[RowMapping], uuid: str, upstream: Sequence[str]) -> None:
    graph = {uuid: upstream}
    graph |= {b["uuid"]: b["upstream_blocks"] for b in present if b["uuid"] != uuid}
    _refuse_circle(graph)


def _refuse_circle(graph: Mapping[str, Sequence[str]]) -> None:
    cycle = dag.find_cycle(graph)
    if cycle:
        raise Invalid(
            f"A cycle was formed while updating a block: {' --> '.join(cycle)}",
            "CYCLE",
            path=("upstreamBlocks",),
        )


async def _set_downstream(tx: db.Tx, row: RowMapping, wanted: Sequence[str]) -> None:
    """Make exactly the named blocks take this block's output."""
    present = await blocks_of(tx, row["pipeline_id"])
    for block in present:
        if block["uuid"] == row["uuid"] or block["type"] in ATTACHED:
            continue
        has = row["uuid"] in block["upstream_blocks"]
        if has and block["uuid"] not in wanted:
            upstream = [u for u in block["upstream_blocks"] if u != row["uuid"]]
        elif not has and block["uuid"] in wanted:
            upstream = [*block["upstream_blocks"], row["uuid"]]
        else:
            continue
        await update_row(tx, blocks, block, {"upstream_blocks": upstream})
    now = await blocks_of(tx, row["pipeline_id"])
    own = next(b for b in now if b["uuid"] == row["uuid"])
    _refuse_cycle(now, row["uuid"], own["upstream_blocks"])


async def _attach(tx: db.Tx, row: RowMapping, kind: str, wanted: Sequence[str]) -> None:
    for block in await blocks_of(tx, row["pipeline_id"]):
        if block["type"] != kind:
            continue
        without = [u for u in block["upstream_blocks"] if u != row["uuid"]]
        upstream = [*without, row["uuid"]] if block["uuid"] in wanted else without
        if upstream != block["upstream_blocks"]:
            await update_row(tx, blocks, block, {"upstream_blocks": upstream})


def _splice(upstream: Sequence[str], gone: str, inherited: Sequence[str]) -> list[str]:
    spliced: list[str] = []
    for uuid in upstream:
        spliced += inherited if uuid == gone else [uuid]
    return list(dict.fromkeys(spliced))


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    check_values(checked)
    check_objects(checked, "configuration", "executor_config", "retry_config")
    kind, language = checked.get("type"), checked.get("language")
    if "type" in checked and kind not in BLOCK_TYPES:
        known = ", ".join(BLOCK_TYPES)
        raise Invalid(f"There is no block type {kind}. Known: {known}.", path=("type",))
    if language is not None and language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise Invalid(f"There is no language {language}. Known: {known}.", path=("language",))
    timeout = checked.get("timeout_s")
    if timeout is not None and timeout < 1:
        raise Invalid("A timeout is at least one second.", path=("timeout",))
    return checked
