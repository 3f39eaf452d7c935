"""What the verbs of this domain check alike."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import RowMapping, Table, select

from app.core import db
from app.core.errors import Invalid, NotFound
from app.pipelines.tables import blocks, pipelines

NAME_LENGTH = 255
MAX_JSON_DEPTH = 32
MAX_CONTENT = 1024 * 1024
MAX_VARIABLES = 256 * 1024


async def lock_pipeline(
    tx: db.Tx,
    permission: str,
    *,
    pipeline_id: int | None = None,
    uuid: str = "",
    project_id: int | None = None,
) -> RowMapping:
    """The pipeline by id, or by uuid in a project (the call's), locked for a change.

    NotFound where it does not exist or the caller may not see it.
    """
    tx.subject.require_known()
    if pipeline_id is not None:
        condition = pipelines.c.id == pipeline_id
    else:
        project = tx.subject.call_project() if project_id is None else project_id
        condition = (pipelines.c.uuid == uuid) & (pipelines.c.project_id == project)
    # Without the key's lock: runs that are started meanwhile refer to the row.
    row = await tx.one(select(pipelines).where(condition).with_for_update(key_share=True))
    if row is None or not tx.subject.may("pipeline.read", row["project_id"]):
        named = f"Pipeline {uuid[:NAME_LENGTH]}" if uuid else "The pipeline"
        raise NotFound(f"{named} does not exist.")
    tx.subject.require(permission, row["project_id"])
    return row


async def lock_row(tx: db.Tx, table: Table, row_id: int, permission: str) -> RowMapping:
    """A row of a table with a project, locked for a change; NotFound where hidden."""
    tx.subject.require_known()
    row = await tx.one(select(table).where(table.c.id == row_id).with_for_update())
    if row is None or not tx.subject.may("pipeline.read", row["project_id"]):
        raise NotFound("Record not found.")
    tx.subject.require(permission, row["project_id"])
    return row


async def blocks_of(tx: db.Tx, pipeline_id: int) -> list[RowMapping]:
    """A pipeline's blocks in its order."""
    statement = select(blocks).where(blocks.c.pipeline_id == pipeline_id)
    return list(await tx.all(statement.order_by(blocks.c.position, blocks.c.id)))


def check_name(name: str | None, what: str) -> str:
    """A name of one to 255 characters."""
    if not name or not name.strip():
        raise Invalid(f"{what} needs a name.", "NAME_MISSING", path=("name",))
    if len(name) > NAME_LENGTH:
        raise Invalid(f"A name has at most {NAME_LENGTH} characters.", path=("name",))
    return name


def check_values(values: Mapping[str, Any]) -> None:
    """Texts that PostgreSQL can hold, and JSON of sane depth."""
    for name, value in values.items():
        if isinstance(value, str) and len(value) > MAX_CONTENT:
            raise Invalid(f"{name} is longer than {MAX_CONTENT} characters.", path=(name,))
        check_json(value, name)


def check_objects(values: Mapping[str, Any], *names: str) -> None:
    """Refuse what is given under these names and is neither a JSON object nor null."""
    for name in names:
        if values.get(name) is not None and not isinstance(values[name], Mapping):
            raise Invalid(f"{name} must be an object.", path=(name,))


def check_json(value: Any, name: str, depth: int = 0) -> None:
    """Refuse NUL, which PostgreSQL cannot hold, numbers beyond 64 bits, and absurd nesting."""
    if depth > MAX_JSON_DEPTH:
        raise Invalid(f"{name} is nested too deeply.", path=(name,))
    if isinstance(value, str):
        if "\x00" in value:
            raise Invalid(f"{name} contains a NUL character.", path=(name,))
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Invalid(f"{name} contains a number of more than 64 bits.", path=(name,))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_json(key, name, depth + 1)
            check_json(item, name, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_json(item, name, depth + 1)


def check_variables(variables: Mapping[str, Any] | None) -> None:
    """Variables of a run, a trigger or a pipeline: an object of sane depth and size, or none."""
    if variables is None:
        return
    if not isinstance(variables, Mapping):
        raise Invalid("variables must be an object.", path=("variables",))
    check_json(variables, "variables")
    if len(orjson.dumps(variables, default=str)) > MAX_VARIABLES:
        raise Invalid(f"variables are larger than {MAX_VARIABLES} bytes.", path=("variables",))
