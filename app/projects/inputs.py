"""Inputs, filters, orderings and error types of projects and memberships."""

import enum

import strawberry

from app.graphql.filters import UNSET, DateTimeFilter, StringFilter, order_input
from app.graphql.payloads import UserError
from app.projects import tables as t


@strawberry.enum(description="Faults in inputs about projects and memberships.")
class ProjectErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    NAME_MISSING = strawberry.enum_value("NAME_MISSING", description="A name is needed.")
    NAME_TAKEN = strawberry.enum_value("NAME_TAKEN", description="It exists already.")
    LAST_PROJECT = strawberry.enum_value("LAST_PROJECT", description="It is the only project.")
    LAST_OWNER = strawberry.enum_value(
        "LAST_OWNER", description="It would leave the project without an owner."
    )


@strawberry.type(description="A fault in an input about projects or memberships.")
class ProjectError(UserError):
    """A correctable fault."""

    code: ProjectErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Which projects.")
class ProjectFilter:
    """Conditions on projects."""

    uuid: StringFilter | None = strawberry.field(default=UNSET, description="By uuid.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")


PROJECT_COLUMNS = {
    "uuid": t.projects.c.uuid,
    "name": t.projects.c.name,
    "created_at": t.projects.c.created_at,
}
ProjectOrder = order_input(
    "Project",
    {
        "NUMBER": (t.projects.c.id, "By number."),
        "NAME": (t.projects.c.name, "By name."),
        "CREATED_AT": (t.projects.c.created_at, "By age."),
    },
)


@strawberry.input(description="Names one project; exactly one field.", one_of=True)
class ProjectBy:
    """How a project is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    uuid: str | None = strawberry.field(default=UNSET, description="By uuid.")


@strawberry.input(description="A new project.")
class ProjectCreateInput:
    """A project's attributes."""

    name: str = strawberry.field(description="Its name; the uuid is made from it.")
    description: str | None = strawberry.field(default=None, description="What it is for.")


@strawberry.input(description="Changes of a project; what is left out stays.")
class ProjectUpdateInput:
    """Attributes to change."""

    id: strawberry.ID = strawberry.field(description="The project.")
    name: str | None = strawberry.field(default=UNSET, description="New name; the uuid stays.")
    description: str | None = strawberry.field(default=UNSET, description="New description.")
    folder: str | None = strawberry.field(
        default=UNSET, description="Name that blocks import its files under; null for its uuid."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which project to delete.")
class ProjectDeleteInput:
    """A project."""

    id: strawberry.ID = strawberry.field(description="The project.")


@strawberry.input(description="A new member of a project.")
class MembershipCreateInput:
    """Who becomes what where."""

    project_id: strawberry.ID = strawberry.field(description="The project.")
    user_id: strawberry.ID = strawberry.field(description="The user.")
    role: str = strawberry.field(description="Name of the role, such as editor.")


@strawberry.input(description="Another role for a member.")
class MembershipUpdateInput:
    """A member's new role."""

    id: strawberry.ID = strawberry.field(description="The membership.")
    role: str = strawberry.field(description="Name of the role, such as viewer.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which membership to end.")
class MembershipDeleteInput:
    """A membership."""

    id: strawberry.ID = strawberry.field(description="The membership.")
