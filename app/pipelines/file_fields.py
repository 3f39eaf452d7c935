"""Root fields to read and change project files and secrets."""

import strawberry
from sqlalchemy import Column, select

from app.core.db import reading
from app.core.errors import NotFound
from app.core.ids import global_id
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.fields import root_connection
from app.graphql.filters import UNSET
from app.graphql.payloads import int_key, mutation
from app.graphql.references import row
from app.pipelines import tables as t
from app.pipelines.actions import files, secrets
from app.pipelines.file_types import (
    FILE_COLUMNS,
    SECRET_COLUMNS,
    ProjectFile,
    ProjectFileFilter,
    ProjectFileOrder,
    ProjectSecret,
    ProjectSecretFilter,
    ProjectSecretOrder,
)
from app.pipelines.inputs import PipelineError
from app.projects.queries import PROJECT_ARGUMENT, in_project, project_scope

ERRORS = "Faults that the sender of the input can correct."
_PROJECT = "Where it belongs; the project of the call where left out."
_VERSION = "Refuse with CONFLICT where it has another version by now."


@strawberry.input(description="A project file and what it shall hold.")
class ProjectFileSetInput:
    """A file, new or not."""

    path: str = strawberry.field(description="Its path below the project's folder.")
    content: str = strawberry.field(description="The text, of at most 1 MiB.")
    is_secret: bool | None = strawberry.field(
        default=None, description="Keep it sealed. Left out: as it is, and not for a new file."
    )
    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Names one project file; exactly one field.", one_of=True)
class ProjectFileBy:
    """How a file is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    path: str | None = strawberry.field(
        default=UNSET, description="By path, in the project of the call."
    )


@strawberry.input(description="Which project file to delete.")
class ProjectFileDeleteInput:
    """A file."""

    by: ProjectFileBy = strawberry.field(description="The file.")


@strawberry.input(description="A project secret and its value.")
class ProjectSecretSetInput:
    """A secret, new or not."""

    name: str = strawberry.field(description="What blocks ask for it by.")
    value: str = strawberry.field(description="The value, of at most 64 KiB; it is never shown.")
    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Names one project secret; exactly one field.", one_of=True)
class ProjectSecretBy:
    """How a secret is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    name: str | None = strawberry.field(
        default=UNSET, description="By name, in the project of the call."
    )


@strawberry.input(description="Which project secret to delete.")
class ProjectSecretDeleteInput:
    """A secret."""

    by: ProjectSecretBy = strawberry.field(description="The secret.")


@strawberry.type(description="Answer to projectFileSet and projectFileDelete.")
class ProjectFilePayload:
    """The file as it is now."""

    project_file: ProjectFile | None = strawberry.field(default=None, description="The file.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the file that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to projectSecretSet and projectSecretDelete.")
class ProjectSecretPayload:
    """The secret as it is now, without its value."""

    project_secret: ProjectSecret | None = strawberry.field(default=None, description="The secret.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the secret that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


async def _key(
    info: Info, type_name: str, given_id: str | None, named: Column[str], name: str
) -> int:
    """The row key of a global id, or of a name in the project of the call."""
    if given_id is not None:
        return int_key(given_id, type_name, "record")
    table = named.table
    own = table.c.project_id == project_scope(info, None)
    async with reading() as connection:
        found = await connection.scalar(select(table.c.id).where(own, named == name))
    if found is None:
        raise NotFound("Record not found.")
    return int(found)


@strawberry.type
class ProjectFileQuery:
    """Project files and secrets."""

    project_files: Connection[ProjectFile] = root_connection(
        "ProjectFile",
        "Text files of a project, by path.",
        where=ProjectFileFilter,
        columns=FILE_COLUMNS,
        order=ProjectFileOrder,
        default_order=[(t.project_files.c.path, False)],
        scope=in_project(t.project_files),
        extra=PROJECT_ARGUMENT,
    )
    project_secrets: Connection[ProjectSecret] = root_connection(
        "ProjectSecret",
        "Secrets of a project, by name; never their values.",
        where=ProjectSecretFilter,
        columns=SECRET_COLUMNS,
        order=ProjectSecretOrder,
        default_order=[(t.project_secrets.c.name, False)],
        scope=in_project(t.project_secrets),
        extra=PROJECT_ARGUMENT,
    )


@strawberry.type
class ProjectFileMutation:
    """Changes of project files and secrets."""

    @mutation(ProjectFilePayload, PipelineError, "Write a project file, new or not.")
    async def project_file_set(self, info: Info, input: ProjectFileSetInput) -> ProjectFilePayload:
        """Write a file."""
        made = await files.set_file(
            info.context.subject,
            project_scope(info, input.project_id),
            input.path,
            files.FileText(input.content, input.is_secret),
            input.expected_version,
        )
        return ProjectFilePayload(project_file=row("ProjectFile", made))

    @mutation(ProjectFilePayload, PipelineError, "Delete a project file; its versions are kept.")
    async def project_file_delete(
        self, info: Info, input: ProjectFileDeleteInput
    ) -> ProjectFilePayload:
        """Delete a file."""
        by = input.by
        column = t.project_files.c.path
        found = await _key(info, "ProjectFile", by.id or None, column, by.path or "")
        await files.delete_file(info.context.subject, found)
        return ProjectFilePayload(deleted_id=strawberry.ID(global_id("ProjectFile", found)))

    @mutation(ProjectSecretPayload, PipelineError, "Make a project secret, or give it a new value.")
    async def project_secret_set(
        self, info: Info, input: ProjectSecretSetInput
    ) -> ProjectSecretPayload:
        """Set a secret."""
        made = await secrets.set_secret(
            info.context.subject,
            project_scope(info, input.project_id),
            input.name,
            input.value,
            input.expected_version,
        )
        return ProjectSecretPayload(project_secret=row("ProjectSecret", made))

    @mutation(ProjectSecretPayload, PipelineError, "Delete a project secret.")
    async def project_secret_delete(
        self, info: Info, input: ProjectSecretDeleteInput
    ) -> ProjectSecretPayload:
        """Delete a secret."""
        by = input.by
        column = t.project_secrets.c.name
        found = await _key(info, "ProjectSecret", by.id or None, column, by.name or "")
        await secrets.delete_secret(info.context.subject, found)
        return ProjectSecretPayload(deleted_id=strawberry.ID(global_id("ProjectSecret", found)))
