"""Inputs, filters, orderings and error types of projects and memberships."""

import enum
from datetime import date

import strawberry
from sqlalchemy import ColumnElement, exists, literal, select
from strawberry.scalars import JSON

from app.access.tables import memberships
from app.core.rules import VIEWER
from app.graphql.filters import (
    UNSET,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    order_input,
)
from app.graphql.payloads import UserError
from app.projects import tables as t

_NUMBER = "By the id that REST shows."
_WITHIN = "Number of its project; NOT_FOUND where it belongs to another."
_START, _END = "When its work begins.", "When its work ends."
_DATA = "Free content of its makers, at most 256 KiB."
_ORGANIZATIONS = "Who has a part in it, in order; at most 100."
_CLIENT_ID = "The caller's own key for it, at most 128 characters, unique; it comes back as it is."


@strawberry.enum(description="Whether somebody works on a project.")
class ProjectStatus(enum.Enum):
    """States of projects."""

    ACTIVE = strawberry.enum_value("active", description="Somebody does.")
    INACTIVE = strawberry.enum_value("inactive", description="Nobody does.")


@strawberry.enum(description="What an organisation is to a project.")
class ProjectOrganizationKind(enum.Enum):
    """Kinds of part."""

    LEAD_ORGANIZATION = strawberry.enum_value(
        "lead_organization", description="Lead Organization: leads the work."
    )
    INTERNATIONAL_PARTNER = strawberry.enum_value(
        "international_partner", description="International Partner: works with it, from abroad."
    )
    NATIONAL_PARTNER = strawberry.enum_value(
        "national_partner", description="National Partner: works with it, in the country."
    )
    DONOR = strawberry.enum_value("donor", description="Donor: pays for it.")
    GOVERNMENT = strawberry.enum_value(
        "government", description="Government: of the country that it is about."
    )


@strawberry.enum(description="What became of a wish to join a project.")
class JoinRequestStatus(enum.Enum):
    """States of wishes."""

    PENDING = strawberry.enum_value("pending", description="Nobody has answered.")
    ACCEPTED = strawberry.enum_value("accepted", description="The user is a member.")
    REJECTED = strawberry.enum_value("rejected", description="It was refused.")


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
    CLIENT_ID_TAKEN = strawberry.enum_value(
        "CLIENT_ID_TAKEN", description="Another project has this clientId."
    )
    ANSWERED = strawberry.enum_value("ANSWERED", description="Somebody has answered already.")


@strawberry.type(description="A fault in an input about projects or memberships.")
class ProjectError(UserError):
    """A correctable fault."""

    code: ProjectErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Which projects.")
class ProjectFilter:
    """Conditions on projects."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    uuid: StringFilter | None = strawberry.field(default=UNSET, description="By uuid.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    description: StringFilter | None = strawberry.field(
        default=UNSET, description="By description."
    )
    status: EnumFilter[ProjectStatus] | None = strawberry.field(
        default=UNSET, description="By status."
    )
    is_member: bool | None = strawberry.field(
        default=UNSET, description="Whether the caller is a member."
    )
    created_by_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of who made them."
    )
    updated_by_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of who last changed them."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    or_: list["ProjectFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )


def _is_member(value: bool) -> ColumnElement[bool]:
    member = memberships.alias()
    own = (member.c.project_id == t.projects.c.id, member.c.user_id == VIEWER.id)
    found = exists(select(literal(1)).where(*own))
    return found if value else ~found


PROJECT_COLUMNS = {
    "number": t.projects.c.id,
    "uuid": t.projects.c.uuid,
    "description": t.projects.c.description,
    "status": t.projects.c.status,
    "is_member": _is_member,
    "created_by_number": t.projects.c.created_by,
    "updated_by_number": t.projects.c.updated_by,
    "name": t.projects.c.name,
    "created_at": t.projects.c.created_at,
}
ProjectOrder = order_input(
    "Project",
    {
        "NUMBER": (t.projects.c.id, "By number."),
        "NAME": (t.projects.c.name, "By name."),
        "CREATED_AT": (t.projects.c.created_at, "By age."),
        "UPDATED_AT": (t.projects.c.updated_at, "By change."),
        "STATUS": (t.projects.c.status, "By status."),
        "START_DATE": (t.projects.c.start_date, "By the beginning of their work."),
        "END_DATE": (t.projects.c.end_date, "By the end of their work."),
    },
)


@strawberry.input(description="Which wishes to join a project.")
class JoinRequestFilter:
    """Conditions on wishes."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    project_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the project."
    )
    status: EnumFilter[JoinRequestStatus] | None = strawberry.field(
        default=UNSET, description="By status."
    )
    is_own: bool | None = strawberry.field(
        default=UNSET, description="Whether they are the caller's own."
    )


def _is_own(value: bool) -> ColumnElement[bool]:
    own = t.join_requests.c.user_id.is_not_distinct_from(VIEWER.id)
    return own if value else ~own


JOIN_REQUEST_COLUMNS = {
    "number": t.join_requests.c.id,
    "project_number": t.join_requests.c.project_id,
    "status": t.join_requests.c.status,
    "is_own": _is_own,
}
JoinRequestOrder = order_input(
    "JoinRequest",
    {
        "NUMBER": (t.join_requests.c.id, "By number."),
        "CREATED_AT": (t.join_requests.c.created_at, "By age."),
        "UPDATED_AT": (t.join_requests.c.updated_at, "By when they were made or answered."),
    },
)


@strawberry.input(description="Names one project; exactly one field.", one_of=True)
class ProjectBy:
    """How a project is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    uuid: str | None = strawberry.field(default=UNSET, description="By uuid.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="An organisation that has a part in a project.")
class ProjectOrganizationInput:
    """An organisation and its part."""

    number: int = strawberry.field(description="Number of the organisation.")
    kind: ProjectOrganizationKind = strawberry.field(description="What it is to the project.")


@strawberry.input(description="A new project.")
class ProjectCreateInput:
    """A project's attributes."""

    name: str = strawberry.field(description="Its name; the uuid is made from it.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    is_private: bool = strawberry.field(
        default=True, description="Only members know of it; that is never changed."
    )
    is_test: bool = strawberry.field(default=False, description="For trying things out.")
    status: ProjectStatus = strawberry.field(
        default=ProjectStatus.ACTIVE, description="Whether somebody works on it."
    )
    start_date: date | None = strawberry.field(default=None, description=_START)
    end_date: date | None = strawberry.field(default=None, description=_END)
    data: JSON | None = strawberry.field(default=None, description=_DATA)
    client_id: str | None = strawberry.field(default=None, description=_CLIENT_ID)
    organizations: list[ProjectOrganizationInput] = strawberry.field(
        default_factory=list, description=_ORGANIZATIONS
    )


@strawberry.input(description="Changes of a project; what is left out stays.")
class ProjectUpdateInput:
    """Attributes to change."""

    id: strawberry.ID | None = strawberry.field(
        default=None, description="The project; else it is named by `number`."
    )
    number: int | None = strawberry.field(default=None, description=_NUMBER)
    name: str | None = strawberry.field(default=UNSET, description="New name; the uuid stays.")
    description: str | None = strawberry.field(default=UNSET, description="New description.")
    folder: str | None = strawberry.field(
        default=UNSET, description="Name that blocks import its files under; null for its uuid."
    )
    is_test: bool | None = strawberry.field(default=UNSET, description="For trying things out.")
    status: ProjectStatus | None = strawberry.field(
        default=UNSET, description="Whether somebody works on it."
    )
    start_date: date | None = strawberry.field(default=UNSET, description=_START)
    end_date: date | None = strawberry.field(default=UNSET, description=_END)
    data: JSON | None = strawberry.field(default=UNSET, description=_DATA)
    client_id: str | None = strawberry.field(default=UNSET, description=_CLIENT_ID)
    organizations: list[ProjectOrganizationInput] | None = strawberry.field(
        default=UNSET, description=f"{_ORGANIZATIONS} They take the place of those before."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="A wish to become a member of a project that is not private.")
class ProjectJoinInput:
    """A wish."""

    project: ProjectBy = strawberry.field(description="The project.")
    reason: str = strawberry.field(default="", description="Why, at most 1000 characters.")


@strawberry.input(description="A wish that the caller takes back.")
class ProjectJoinCancelInput:
    """A wish."""

    project: ProjectBy = strawberry.field(description="The project.")


@strawberry.input(description="An answer to a wish to join.")
class ProjectJoinAnswerInput:
    """A wish, and what shall become of it."""

    number: int = strawberry.field(description="Number of the wish.")
    project_number: int | None = strawberry.field(default=None, description=_WITHIN)
    accept: bool = strawberry.field(description="Make the user a member; else refuse it.")
    role: str = strawberry.field(default="editor", description="Name of the new member's role.")
    role_number: int | None = strawberry.field(
        default=None, description="Number of the role, in place of its name."
    )


@strawberry.input(description="Which project to delete.")
class ProjectDeleteInput:
    """A project."""

    id: strawberry.ID | None = strawberry.field(
        default=None, description="The project; else it is named by `number`."
    )
    number: int | None = strawberry.field(default=None, description=_NUMBER)


@strawberry.input(description="A new member of a project.")
class MembershipCreateInput:
    """Who becomes what where."""

    project_id: strawberry.ID | None = strawberry.field(
        default=None, description="The project; else it is named by `projectNumber`."
    )
    project_number: int | None = strawberry.field(default=None, description=_NUMBER)
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The user; else it is named by `userNumber`."
    )
    user_number: int | None = strawberry.field(default=None, description=_NUMBER)
    role: str | None = strawberry.field(
        default=None, description="Name of the role; editor where neither is given."
    )
    role_number: int | None = strawberry.field(default=None, description=_NUMBER)


@strawberry.input(description="One of several new members.")
class MembershipBulkItem:
    """Who becomes what."""

    user_number: int = strawberry.field(description=_NUMBER)
    role_number: int | None = strawberry.field(default=None, description=_NUMBER)


@strawberry.input(description="New members of a project, all or none.")
class MembershipBulkInput:
    """At most a hundred."""

    project_id: strawberry.ID | None = strawberry.field(
        default=None, description="The project; else it is named by `projectNumber`."
    )
    project_number: int | None = strawberry.field(default=None, description=_NUMBER)
    members: list[MembershipBulkItem] = strawberry.field(description="Who, at most 100.")


@strawberry.input(description="Another role for a member.")
class MembershipUpdateInput:
    """A member's new role."""

    id: strawberry.ID | None = strawberry.field(
        default=None, description="The membership; else it is named by `number`."
    )
    number: int | None = strawberry.field(default=None, description=_NUMBER)
    role: str | None = strawberry.field(
        default=None, description="Name of the role, such as viewer; else `roleNumber` names it."
    )
    role_number: int | None = strawberry.field(default=None, description=_NUMBER)
    project_number: int | None = strawberry.field(default=None, description=_WITHIN)
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which membership to end.")
class MembershipDeleteInput:
    """A membership."""

    id: strawberry.ID | None = strawberry.field(
        default=None, description="The membership; else it is named by `number`."
    )
    number: int | None = strawberry.field(default=None, description=_NUMBER)
    project_number: int | None = strawberry.field(default=None, description=_WITHIN)
