"""GraphQL types of project files, their earlier versions, and project secrets, with their filters.

What is sealed has no field: the content of a secret file is null, and a secret has only a name.
"""

from datetime import datetime

import strawberry

from app.access.types import User
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, one
from app.graphql.filters import UNSET, DateTimeFilter, IntFilter, StringFilter, order_input
from app.graphql.node import Node, Timestamped
from app.pipelines import rules
from app.pipelines import tables as t
from app.projects.types import Project


@strawberry.input(description="Which versions of a file.")
class ProjectFileVersionFilter:
    """Conditions on versions."""

    version: IntFilter | None = strawberry.field(default=UNSET, description="By version.")
    replaced_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when it was replaced."
    )


VERSION_COLUMNS = {
    "version": t.project_file_versions.c.version,
    "replaced_at": t.project_file_versions.c.replaced_at,
}
ProjectFileVersionOrder = order_input(
    "ProjectFileVersion",
    {"VERSION": (t.project_file_versions.c.version, "By version.")},
)


@sql_type(
    t.project_file_versions,
    policy=rules.may_read,
    description="What a project file was before a change.",
)
class ProjectFileVersion(Node):
    """An earlier version of a file."""

    path: str = column(t.project_file_versions.c.path, "The file's path.")
    version: int = column(t.project_file_versions.c.version, "Which version it was.")
    is_secret: bool = expression(
        lambda c: c.sealed.is_not(None), "Its content was secret, and is shown to nobody."
    )
    content: str | None = column(
        t.project_file_versions.c.content, "What it held; null for a secret file."
    )
    bytes: int = column(t.project_file_versions.c.bytes, "Length of its content as UTF-8.")
    replaced_by: User | None = one(
        "User", t.project_file_versions.c.replaced_by, "Who changed or deleted the file then."
    )
    replaced_at: datetime = column(t.project_file_versions.c.replaced_at, "When that was.")


@strawberry.input(description="Which project files.")
class ProjectFileFilter:
    """Conditions on files."""

    path: StringFilter | None = strawberry.field(default=UNSET, description="By path.")
    bytes: IntFilter | None = strawberry.field(default=UNSET, description="By length.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")


FILE_COLUMNS = {
    "path": t.project_files.c.path,
    "bytes": t.project_files.c.bytes,
    "updated_at": t.project_files.c.updated_at,
}
ProjectFileOrder = order_input(
    "ProjectFile",
    {
        "PATH": (t.project_files.c.path, "By path."),
        "BYTES": (t.project_files.c.bytes, "By length."),
        "UPDATED_AT": (t.project_files.c.updated_at, "By last change."),
    },
)


@sql_type(
    t.project_files,
    policy=rules.may_read,
    description="A text file that blocks find below `repo_path`.",
)
class ProjectFile(Node, Timestamped):
    """A project file."""

    path: str = column(t.project_files.c.path, "Its path below the project's folder.")
    is_secret: bool = expression(
        lambda c: c.sealed.is_not(None), "Its content is secret: only blocks see it."
    )
    content: str | None = column(
        t.project_files.c.content, "What it holds; null for a secret file."
    )
    bytes: int = column(t.project_files.c.bytes, "Length of its content as UTF-8.")
    versions: Connection[ProjectFileVersion] = connection(
        "ProjectFileVersion",
        t.project_files.c.id,
        t.project_file_versions.c.file_id,
        "What it was before, newest first; at most 100 are kept.",
        where=ProjectFileVersionFilter,
        columns=VERSION_COLUMNS,
        order=ProjectFileVersionOrder,
        default_order=[(t.project_file_versions.c.version, True)],
    )
    project: Project | None = one("Project", t.project_files.c.project_id, "Where it belongs.")
    created_by: User | None = one("User", t.project_files.c.created_by, "Who made it.")
    created_at: datetime = column(t.project_files.c.created_at, "When it was made.")
    updated_at: datetime = column(t.project_files.c.updated_at, "When it was last changed.")
    version: int = column(
        t.project_files.c.version, "Raised by each change; for `expectedVersion`."
    )


@strawberry.input(description="Which project secrets.")
class ProjectSecretFilter:
    """Conditions on secrets."""

    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")


SECRET_COLUMNS = {
    "name": t.project_secrets.c.name,
    "updated_at": t.project_secrets.c.updated_at,
}
ProjectSecretOrder = order_input(
    "ProjectSecret",
    {
        "NAME": (t.project_secrets.c.name, "By name."),
        "UPDATED_AT": (t.project_secrets.c.updated_at, "By last change."),
    },
)


@sql_type(
    t.project_secrets,
    policy=rules.may_read,
    description="A named value that only blocks see.",
)
class ProjectSecret(Node, Timestamped):
    """A project secret, without its value."""

    name: str = column(t.project_secrets.c.name, "What blocks ask for it by.")
    project: Project | None = one("Project", t.project_secrets.c.project_id, "Where it belongs.")
    created_by: User | None = one("User", t.project_secrets.c.created_by, "Who made it.")
    created_at: datetime = column(t.project_secrets.c.created_at, "When it was made.")
    updated_at: datetime = column(t.project_secrets.c.updated_at, "When it was last changed.")
    version: int = column(
        t.project_secrets.c.version, "Raised by each change; for `expectedVersion`."
    )
