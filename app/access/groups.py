"""Verbs of groups of users."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import RowMapping, select

from app.access.rules import may_read_group
from app.access.tables import user_group_members, user_groups, users
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.rules import Subject

TITLE_LENGTH, CLIENT_ID_LENGTH = 255, 128
MAX_MEMBERS = 500
MAX_DATA = 64 * 1024


async def create_group(subject: Subject, values: Mapping[str, Any]) -> int:
    """Make a group whose admin is the caller."""
    user_id = subject.require_account()
    found = _checked(values)
    async with db.transaction(subject) as tx:
        await _refuse_taken(tx, found)
        who = {"created_by": user_id, "updated_by": user_id}
        row = await insert_row(tx, user_groups, {**found, **who})
        if user_id is not None:
            own = {"group_id": row["id"], "user_id": user_id, "is_admin": True}
            await insert_row(tx, user_group_members, own)
        await tx.audit("user_group.create", "UserGroup", row["id"])
    return int(row["id"])


async def update_group(
    subject: Subject, group_id: int, values: Mapping[str, Any], expected_version: int | None
) -> int:
    """Change a group; its admins may."""
    found = _checked(values)
    async with db.transaction(subject) as tx:
        row = await _lock(tx, group_id)
        changed = {**found, "updated_by": subject.user_id}
        await update_row(tx, user_groups, row, changed, expected_version)
        await tx.audit("user_group.update", "UserGroup", group_id, fields=sorted(found))
    return group_id


async def delete_group(subject: Subject, group_id: int) -> int:
    """Delete a group; its admins may."""
    async with db.transaction(subject) as tx:
        await _lock(tx, group_id)
        await delete_row(tx, user_groups, group_id)
        await tx.audit("user_group.delete", "UserGroup", group_id)
    return group_id


async def set_member(subject: Subject, group_id: int, user_id: int, is_admin: bool) -> int:
    """Add a user, or say whether a member is an admin; the group's admins may."""
    async with db.transaction(subject) as tx:
        await _lock(tx, group_id)
        c = user_group_members.c
        members = await tx.all(select(user_group_members).where(c.group_id == group_id))
        row = next((one for one in members if one["user_id"] == user_id), None)
        if row is None:
            if len(members) >= MAX_MEMBERS:
                raise Invalid(f"A group has at most {MAX_MEMBERS} members.")
            if not await tx.one(select(users.c.id).where(users.c.id == user_id)):
                text = f'Invalid pk "{user_id}" - object does not exist.'
                raise Invalid(text, path=("member",))
            new = {"group_id": group_id, "user_id": user_id, "is_admin": is_admin}
            row = await insert_row(tx, user_group_members, new)
        else:
            if not is_admin:
                _refuse_last_admin(members, row)
            row = await update_row(tx, user_group_members, row, {"is_admin": is_admin})
        await tx.audit("user_group.set_member", "UserGroup", group_id, fields=["members"])
    return int(row["id"])


async def update_member(subject: Subject, member_id: int, is_admin: bool | None) -> int:
    """Say whether a member may change the group, unless it is None; the group's admins may."""
    subject.require_account()
    async with db.transaction(subject) as tx:
        c = user_group_members.c
        group_id = (await _member(tx, member_id))["group_id"]
        await _lock(tx, group_id)
        members = await tx.all(select(user_group_members).where(c.group_id == group_id))
        row = next((one for one in members if one["id"] == member_id), None)
        if row is None:
            raise NotFound("There is no such member.")
        wanted = row["is_admin"] if is_admin is None else is_admin
        if not wanted:
            _refuse_last_admin(members, row)
        await update_row(tx, user_group_members, row, {"is_admin": wanted})
        await tx.audit("user_group.update_member", "UserGroup", group_id, fields=["members"])
    return member_id


async def remove_member(subject: Subject, member_id: int) -> int:
    """End a user's part in a group; the group's admins may, and the user."""
    subject.require_account()
    async with db.transaction(subject) as tx:
        c = user_group_members.c
        named = await _member(tx, member_id)
        await _lock(tx, named["group_id"], or_self=named["user_id"] == subject.user_id)
        members = await tx.all(select(user_group_members).where(c.group_id == named["group_id"]))
        _refuse_last_admin(members, named)
        await delete_row(tx, user_group_members, member_id)
        group_id = named["group_id"]
        await tx.audit("user_group.remove_member", "UserGroup", group_id, fields=["members"])
    return member_id


async def _member(tx: db.Tx, member_id: int) -> RowMapping:
    row = await tx.one(select(user_group_members).where(user_group_members.c.id == member_id))
    if row is None:
        raise NotFound("There is no such member.")
    return row


def _refuse_last_admin(members: Any, row: RowMapping) -> None:
    if [one["id"] for one in members if one["is_admin"]] == [row["id"]]:
        raise Invalid("This is the last admin of the group.", "LAST_OWNER")


async def _lock(tx: db.Tx, group_id: int, *, or_self: bool = False) -> RowMapping:
    tx.subject.require_account()
    c = user_groups.c
    wanted = select(user_groups).where(c.id == group_id, may_read_group(c))
    row = await tx.one(wanted.with_for_update(), tx.subject.parameters)
    if row is None:
        raise NotFound("There is no such group.")
    m = user_group_members.c
    own = (m.group_id == group_id, m.user_id == tx.subject.user_id, m.is_admin)
    admin = tx.subject.is_owner or await tx.one(select(m.id).where(*own)) is not None
    if not (admin or or_self):
        raise Forbidden("Only an admin of the group may change it.")
    return row


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    if "title" in found:
        title = (found["title"] or "").strip()
        if not title:
            raise Invalid("This field may not be blank.", "NAME_MISSING", path=("title",))
        if len(title) > TITLE_LENGTH:
            text = f"Ensure this field has no more than {TITLE_LENGTH} characters."
            raise Invalid(text, path=("title",))
        found["title"] = title
    if len(orjson.dumps(found.get("data"))) > MAX_DATA:
        raise Invalid(f"`data` may have at most {MAX_DATA} bytes.", path=("data",))
    return found


async def _refuse_taken(tx: db.Tx, values: Mapping[str, Any]) -> None:
    wanted = values.get("client_id")
    if wanted is None:
        return
    if len(wanted) > CLIENT_ID_LENGTH:
        text = f"Ensure this field has no more than {CLIENT_ID_LENGTH} characters."
        raise Invalid(text, path=("clientId",))
    if await tx.one(select(user_groups.c.id).where(user_groups.c.client_id == wanted)):
        raise Invalid("This clientId is in use.", "NAME_TAKEN", path=("clientId",))
