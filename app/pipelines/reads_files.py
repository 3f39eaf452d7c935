"""What workers read of project files and secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Table, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.core.db import reading
from app.pipelines.tables import project_files, project_secrets
from app.projects.tables import projects


@dataclass(frozen=True)
class ProjectState:
    """The folder's name of a project, and marks that change whenever its files or secrets do."""

    folder: str
    files: str | None
    secrets: str | None


async def project_state(project_id: int) -> ProjectState | None:
    """A project's state in one statement; None where the project is gone.

    A mark is None where there is nothing.
    """
    file, secret = project_files.c, project_secrets.c
    statement = select(
        func.coalesce(projects.c.folder, projects.c.uuid).label("folder"),
        select(_mark(file)).where(file.project_id == project_id).scalar_subquery(),
        select(_mark(secret)).where(secret.project_id == project_id).scalar_subquery(),
    ).where(projects.c.id == project_id)
    async with reading() as connection:
        row = (await connection.execute(statement)).one_or_none()
    return None if row is None else ProjectState(*row)


async def files_of(project_id: int) -> Sequence[RowMapping]:
    """A project's files as they are stored."""
    return await _rows(project_files, project_id)


async def secrets_of(project_id: int) -> Sequence[RowMapping]:
    """A project's secrets, sealed."""
    return await _rows(project_secrets, project_id)


async def requirements() -> Sequence[RowMapping]:
    """Each project's requirements.txt: its uuid as `project`, and the content."""
    file = project_files.c
    statement = (
        select(projects.c.uuid.label("project"), file.content)
        .join(projects, projects.c.id == file.project_id)
        .where(file.path == "requirements.txt", file.content.is_not(None))
        .order_by(projects.c.id)
    )
    async with reading() as connection:
        return list((await connection.execute(statement)).mappings())


def _mark(column: Any) -> Any:
    one = func.concat(column.id, ":", column.version)
    return func.md5(func.string_agg(one, aggregate_order_by(literal(","), column.id)))


async def _rows(table: Table, project_id: int) -> Sequence[RowMapping]:
    async with reading() as connection:
        found = await connection.execute(select(table).where(table.c.project_id == project_id))
        return list(found.mappings())
