"""Root fields to read projects."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Table

from app.core.ids import parse_global_id, row_number
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.rows import fetch_one, root_connection
from app.projects import tables as t
from app.projects.inputs import PROJECT_COLUMNS, ProjectBy, ProjectFilter, ProjectOrder
from app.projects.types import Project


def project_scope(info: Info, given: str | None) -> int:
    """The row key of the project that a call is about: the one named, else the call's own."""
    if given is None:
        return info.context.subject.call_project()
    parsed = parse_global_id(given)
    key = row_number(parsed[1]) if parsed is not None and parsed[0] == "Project" else None
    # An id that names nothing is a project without rows, as a foreign one is.
    return -1 if key is None else key


PROJECT_ARGUMENT: dict[str, tuple[Any, str]] = {
    "project_id": (strawberry.ID | None, "In which project; the project of the call if left out.")
}


def in_project(table: Table) -> Callable[[Info, Mapping[str, Any]], list[ColumnElement[bool]]]:
    """The scope of a root list: the project of its argument `projectId`."""

    def scope(info: Info, given: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        return [table.c.project_id == project_scope(info, given["project_id"])]

    return scope


@strawberry.type
class ProjectQuery:
    """Projects."""

    projects: Connection[Project] = root_connection(
        "Project",
        "Projects that the caller may see.",
        where=ProjectFilter,
        columns=PROJECT_COLUMNS,
        order=ProjectOrder,
        default_order=[(t.projects.c.id, False)],
    )

    @strawberry.field(description="One project; the call's own where `by` is left out.")
    async def project(
        self,
        info: Info,
        by: Annotated[ProjectBy | None, strawberry.argument(description="Which project.")] = None,
    ) -> Project | None:
        """One project."""
        info.context.subject.require_known()
        if by is not None and by.uuid:
            condition = t.projects.c.uuid == by.uuid
        else:
            named = None if by is None else by.id or ""
            condition = t.projects.c.id == project_scope(info, named)
        found: Project | None = await fetch_one(info, "Project", condition)
        return found
