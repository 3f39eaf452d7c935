"""Verbs of project secrets: named values that only blocks see."""

from sqlalchemy import RowMapping, func, select

from app.access.installation import keys
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.pipelines.actions._shared import lock_row
from app.pipelines.tables import project_secrets
from app.projects.actions import lock_project

MAX_SECRETS = 1000
NAME_LENGTH = 255
VALUE_BYTES = 64 * 1024
SEALED_BYTES = 2 * 1024 * 1024
"""All sealed values of a project: they go to each of its blocks."""


def secret_place(project_id: int, name: str) -> str:
    """Where a secret's ciphertext belongs; it opens nowhere else."""
    return f"project_secrets/{project_id}/{name}"


async def set_secret(
    subject: Subject,
    project_id: int,
    name: str,
    value: str,
    expected_version: int | None = None,
) -> int:
    """Make a secret, or give one a new value."""
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
        raise Invalid(f"A secret's name has 1 to {NAME_LENGTH} characters.", path=("name",))
    _check_value(value)
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        row = await _written(tx, project_id, name, value, expected_version)
        await _check_bounds(tx, project_id)
        await tx.audit("project_secret.set", "ProjectSecret", row["id"], project_id=project_id)
    return int(row["id"])


async def delete_secret(subject: Subject, secret_id: int) -> int:
    """Delete a secret."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, project_secrets, secret_id, "pipeline.write")
        await delete_row(tx, project_secrets, secret_id)
        await tx.audit(
            "project_secret.delete", "ProjectSecret", secret_id, project_id=row["project_id"]
        )
    return secret_id


async def _written(
    tx: db.Tx, project_id: int, name: str, value: str, expected_version: int | None
) -> RowMapping:
    table = project_secrets.c
    sealed = keys().ring.seal(value, secret_place(project_id, name))
    named = (table.project_id == project_id) & (table.name == name)
    row = await tx.one(select(project_secrets).where(named).with_for_update())
    if row is not None:
        return await update_row(tx, project_secrets, row, {"sealed": sealed}, expected_version)
    if expected_version is not None:
        raise NotFound("There is no such secret.")
    own = {"project_id": project_id, "name": name, "created_by": tx.subject.user_id}
    return await insert_row(tx, project_secrets, {**own, "sealed": sealed})


async def _check_bounds(tx: db.Tx, project_id: int) -> None:
    table = project_secrets.c
    held = select(func.count().label("n"), func.sum(func.length(table.sealed)).label("size"))
    total = await tx.one(held.where(table.project_id == project_id))
    assert total is not None
    if total["n"] > MAX_SECRETS:
        raise Invalid(f"A project has at most {MAX_SECRETS} secrets.")
    if total["size"] > SEALED_BYTES:
        raise Invalid("The project's secrets are too large together.", path=("value",))


def _check_value(value: str) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Invalid("The value is not valid Unicode.", path=("value",)) from None
    if size > VALUE_BYTES:
        raise Invalid(f"A secret has at most {VALUE_BYTES} bytes.", path=("value",))
