"""Root fields that change groups of users."""

import strawberry

from app.access import groups
from app.access.inputs import (
    AccessError,
    UserGroupCreateInput,
    UserGroupDeleteInput,
    UserGroupMemberDeleteInput,
    UserGroupMemberSetInput,
    UserGroupMemberUpdateInput,
    UserGroupUpdateInput,
)
from app.access.queries import group_key
from app.access.types import UserGroup, UserGroupMember
from app.core.ids import global_id
from app.graphql.context import Info
from app.graphql.payloads import given, mutation
from app.graphql.references import row

ERRORS = "Faults that the sender of the input can correct."


@strawberry.type(description="Answer to userGroupCreate, userGroupUpdate and userGroupDelete.")
class UserGroupPayload:
    """The group as it is now."""

    user_group: UserGroup | None = strawberry.field(default=None, description="The group.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the group that is gone."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(
    description="Answer to userGroupMemberSet, userGroupMemberUpdate and userGroupMemberDelete."
)
class UserGroupMemberPayload:
    """The member as it is now."""

    member: UserGroupMember | None = strawberry.field(default=None, description="The member.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the member that is gone."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type
class UserGroupMutation:
    """Changes of groups of users."""

    @mutation(UserGroupPayload, AccessError, "Make a group of users; the caller is its admin.")
    async def user_group_create(self, info: Info, input: UserGroupCreateInput) -> UserGroupPayload:
        """Make a group."""
        values = given(input, "title", "description", "client_id")
        made = await groups.create_group(info.context.subject, {**values, "data": input.data or {}})
        return UserGroupPayload(user_group=row("UserGroup", made))

    @mutation(UserGroupPayload, AccessError, "Change a group of users; its admins may.")
    async def user_group_update(self, info: Info, input: UserGroupUpdateInput) -> UserGroupPayload:
        """Change a group."""
        named = given(input, "title", "description", "data")
        values = {n: v for n, v in named.items() if v is not None}
        subject, wanted = info.context.subject, group_key(input.by)
        await groups.update_group(subject, wanted, values, input.expected_version)
        return UserGroupPayload(user_group=row("UserGroup", wanted))

    @mutation(UserGroupPayload, AccessError, "Delete a group of users; its admins may.")
    async def user_group_delete(self, info: Info, input: UserGroupDeleteInput) -> UserGroupPayload:
        """Delete a group."""
        gone = await groups.delete_group(info.context.subject, group_key(input.by))
        return UserGroupPayload(deleted_id=strawberry.ID(global_id("UserGroup", gone)))

    @mutation(
        UserGroupMemberPayload, AccessError, "Add a user to a group, or say who may change it."
    )
    async def user_group_member_set(
        self, info: Info, input: UserGroupMemberSetInput
    ) -> UserGroupMemberPayload:
        """Add or change a member."""
        subject, wanted = info.context.subject, group_key(input.group)
        made = await groups.set_member(subject, wanted, input.user_number, input.is_admin)
        return UserGroupMemberPayload(member=row("UserGroupMember", made))

    @mutation(UserGroupMemberPayload, AccessError, "Say whether a member may change the group.")
    async def user_group_member_update(
        self, info: Info, input: UserGroupMemberUpdateInput
    ) -> UserGroupMemberPayload:
        """Change a member."""
        wanted = given(input, "is_admin").get("is_admin")
        changed = await groups.update_member(info.context.subject, input.number, wanted)
        return UserGroupMemberPayload(member=row("UserGroupMember", changed))

    @mutation(UserGroupMemberPayload, AccessError, "End a user's part in a group.")
    async def user_group_member_delete(
        self, info: Info, input: UserGroupMemberDeleteInput
    ) -> UserGroupMemberPayload:
        """Remove a member."""
        gone = await groups.remove_member(info.context.subject, input.number)
        deleted = strawberry.ID(global_id("UserGroupMember", gone))
        return UserGroupMemberPayload(deleted_id=deleted)
