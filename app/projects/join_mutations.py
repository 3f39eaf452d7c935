"""Root fields of wishes to join a project."""

import strawberry

from app.graphql.context import Info
from app.graphql.payloads import mutation
from app.graphql.references import row
from app.projects import actions, joins
from app.projects.inputs import (
    ProjectError,
    ProjectJoinAnswerInput,
    ProjectJoinCancelInput,
    ProjectJoinInput,
)
from app.projects.queries import project_row
from app.projects.types import JoinRequest

ERRORS = "Faults that the sender of the input can correct."


@strawberry.type(description="Answer to projectJoin, projectJoinCancel and projectJoinAnswer.")
class ProjectJoinPayload:
    """The wish as it is now."""

    join_request: JoinRequest | None = strawberry.field(default=None, description="The wish.")
    errors: list[ProjectError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type
class ProjectJoinMutation:
    """Wishes to join."""

    @mutation(ProjectJoinPayload, ProjectError, "Ask to become a member of a project.")
    async def project_join(self, info: Info, input: ProjectJoinInput) -> ProjectJoinPayload:
        """Ask to join."""
        wanted = await project_row(info, input.project)
        made = await joins.wish_to_join(info.context.subject, wanted, input.reason)
        return ProjectJoinPayload(join_request=row("JoinRequest", made))

    @mutation(ProjectJoinPayload, ProjectError, "Take back a wish to become a member.")
    async def project_join_cancel(
        self, info: Info, input: ProjectJoinCancelInput
    ) -> ProjectJoinPayload:
        """Take a wish back."""
        await joins.take_back(info.context.subject, await project_row(info, input.project))
        return ProjectJoinPayload()

    @mutation(ProjectJoinPayload, ProjectError, "Accept or refuse a wish to become a member.")
    async def project_join_answer(
        self, info: Info, input: ProjectJoinAnswerInput
    ) -> ProjectJoinPayload:
        """Answer a wish."""
        info.context.subject.require_known()
        role = input.role if input.accept else None
        if input.accept and input.role_number is not None:
            role = await actions.role_name(input.role_number)
        subject, within = info.context.subject, input.project_number
        answered = await joins.answer_wish(subject, input.number, role, within)
        return ProjectJoinPayload(join_request=row("JoinRequest", answered))
