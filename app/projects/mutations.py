"""Root fields that change projects and memberships."""

from collections.abc import Sequence

import strawberry

from app.access.types import Membership
from app.core.errors import Invalid
from app.core.ids import global_id
from app.graphql.context import Info
from app.graphql.payloads import given, int_key, mutation
from app.graphql.references import References, row
from app.projects import actions
from app.projects.inputs import (
    MembershipBulkInput,
    MembershipCreateInput,
    MembershipDeleteInput,
    MembershipUpdateInput,
    ProjectCreateInput,
    ProjectDeleteInput,
    ProjectError,
    ProjectOrganizationInput,
    ProjectUpdateInput,
)
from app.projects.types import Project

ERRORS = "Faults that the sender of the input can correct."


@strawberry.type(description="Answer to projectCreate and projectUpdate.")
class ProjectPayload:
    """The project as it is now."""

    project: Project | None = strawberry.field(default=None, description="The project.")
    errors: list[ProjectError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to membershipCreate and membershipUpdate.")
class MembershipPayload:
    """The membership as it is now."""

    membership: Membership | None = strawberry.field(default=None, description="The membership.")
    errors: list[ProjectError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to membershipBulk.")
class MembershipBulkPayload:
    """The new memberships."""

    memberships: list[Membership] | None = strawberry.field(
        default=None, description="The memberships, in the same order; at most 100."
    )
    errors: list[ProjectError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to projectDelete and membershipDelete.")
class ProjectDeletePayload:
    """What was deleted."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the object that is gone."
    )
    errors: list[ProjectError] = strawberry.field(default_factory=list, description=ERRORS)


def _key(given_id: str | None, number: int | None, type_name: str, what: str) -> int:
    """The row key that an id or a number means."""
    if given_id is not None:
        return int_key(given_id, type_name, what)
    if number is None:
        raise Invalid(f"Name the {what} by id or number.", path=("id",))
    return number


def _parts(parts: Sequence[ProjectOrganizationInput]) -> list[tuple[int, str]]:
    """Organisations and what they are to a project."""
    return [(one.number, str(one.kind.value)) for one in parts]


async def _role(info: Info, name: str | None, number: int | None) -> str | None:
    """The name of the role that an input names, if it names one."""
    info.context.subject.require_known()
    return name if number is None else await actions.role_name(number)


@strawberry.type
class ProjectMutation:
    """Changes of projects and of who belongs to them."""

    @mutation(ProjectPayload, ProjectError, "Make a project; owners of the installation only.")
    async def project_create(self, info: Info, input: ProjectCreateInput) -> ProjectPayload:
        """Make a project."""
        subject = info.context.subject
        names = ("name", "description", "is_private", "is_test", "start_date", "end_date")
        values = {**given(input, *names, "client_id"), "data": input.data or {}}
        values |= {"status": input.status.value, "organizations": _parts(input.organizations)}
        made = await actions.create_project(subject, values)
        return ProjectPayload(project=row("Project", made))

    @mutation(ProjectPayload, ProjectError, "Change a project.")
    async def project_update(self, info: Info, input: ProjectUpdateInput) -> ProjectPayload:
        """Change a project."""
        wanted = _key(input.id, input.number, "Project", "project")
        names = ("name", "description", "folder", "start_date", "end_date", "client_id")
        needed = given(input, "is_test", "status", "data")
        values = given(input, *names) | {n: v for n, v in needed.items() if v is not None}
        if "status" in values:
            values["status"] = values["status"].value
        if (parts := given(input, "organizations").get("organizations")) is not None:
            values["organizations"] = _parts(parts)
        subject = info.context.subject
        await actions.update_project(subject, wanted, values, input.expected_version)
        return ProjectPayload(project=row("Project", wanted))

    @mutation(ProjectDeletePayload, ProjectError, "Delete a project and everything in it.")
    async def project_delete(self, info: Info, input: ProjectDeleteInput) -> ProjectDeletePayload:
        """Delete a project."""
        wanted = _key(input.id, input.number, "Project", "project")
        await actions.delete_project(info.context.subject, wanted)
        return ProjectDeletePayload(deleted_id=strawberry.ID(global_id("Project", wanted)))

    @mutation(MembershipPayload, ProjectError, "Make a user a member of a project.")
    async def membership_create(
        self, info: Info, input: MembershipCreateInput
    ) -> MembershipPayload:
        """Add a member."""
        project = _key(input.project_id, input.project_number, "Project", "project")
        user = _key(input.user_id, input.user_number, "User", "user")
        role = await _role(info, input.role, input.role_number) or "editor"
        made = await actions.create_membership(info.context.subject, project, user, role)
        return MembershipPayload(membership=row("Membership", made))

    @mutation(MembershipBulkPayload, ProjectError, "Make users members of a project.")
    async def membership_bulk(
        self, info: Info, input: MembershipBulkInput
    ) -> MembershipBulkPayload:
        """Add members."""
        project = _key(input.project_id, input.project_number, "Project", "project")
        members = [
            (one.user_number, await _role(info, None, one.role_number) or "editor")
            for one in input.members
        ]
        made = await actions.create_memberships(info.context.subject, project, members)
        return MembershipBulkPayload(memberships=References(row("Membership", n) for n in made))

    @mutation(MembershipPayload, ProjectError, "Give a member another role.")
    async def membership_update(
        self, info: Info, input: MembershipUpdateInput
    ) -> MembershipPayload:
        """Change a member's role."""
        wanted = _key(input.id, input.number, "Membership", "membership")
        subject = info.context.subject
        role = await _role(info, input.role, input.role_number)
        if role is None:
            raise Invalid("Name a role.", path=("role",))
        version, within = input.expected_version, input.project_number
        await actions.update_membership(subject, wanted, role, version, within)
        return MembershipPayload(membership=row("Membership", wanted))

    @mutation(ProjectDeletePayload, ProjectError, "End a membership.")
    async def membership_delete(
        self, info: Info, input: MembershipDeleteInput
    ) -> ProjectDeletePayload:
        """Remove a member."""
        wanted = _key(input.id, input.number, "Membership", "membership")
        await actions.delete_membership(info.context.subject, wanted, input.project_number)
        return ProjectDeletePayload(deleted_id=strawberry.ID(global_id("Membership", wanted)))
