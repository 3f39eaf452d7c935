"""Verbs of a pipeline's own variables, one at a time."""

from typing import Any

from app.core import db
from app.core.changes import update_row
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.pipelines.actions._shared import NAME_LENGTH, check_variables, lock_pipeline
from app.pipelines.tables import pipelines


async def set_variable(
    subject: Subject, name: str, value: Any, *, pipeline_id: int | None = None, uuid: str = ""
) -> int:
    """Give a variable a value, any JSON; the pipeline's other variables stay."""
    if not name.strip() or len(name) > NAME_LENGTH:
        raise Invalid(
            f"A variable needs a name of 1 to {NAME_LENGTH} characters.",
            "NAME_MISSING",
            path=("name",),
        )
    async with db.transaction(subject) as tx:
        row = await lock_pipeline(tx, "pipeline.write", pipeline_id=pipeline_id, uuid=uuid)
        variables = {**row["variables"], name: value}
        check_variables(variables)
        await update_row(tx, pipelines, row, {"variables": variables})
        await _audit(tx, row)
    return int(row["id"])


async def delete_variable(
    subject: Subject, name: str, *, pipeline_id: int | None = None, uuid: str = ""
) -> int:
    """Take a variable away; NotFound where the pipeline has none of that name."""
    async with db.transaction(subject) as tx:
        row = await lock_pipeline(tx, "pipeline.write", pipeline_id=pipeline_id, uuid=uuid)
        if name not in row["variables"]:
            named = name[:NAME_LENGTH]
            raise NotFound(f"Variable {named} does not exist in pipeline {row['uuid']}.")
        left = {k: v for k, v in row["variables"].items() if k != name}
        await update_row(tx, pipelines, row, {"variables": left})
        await _audit(tx, row)
    return int(row["id"])


async def _audit(tx: db.Tx, row: Any) -> None:
    await tx.audit(
        "pipeline.update", "Pipeline", row["id"], project_id=row["project_id"], fields=["variables"]
    )
