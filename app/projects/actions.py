"""Verbs of projects and memberships."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import RowMapping, func, select, text, update

from app.access.roles import set_role
from app.access.tables import memberships, roles, users
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.ids import slug
from app.core.rules import Subject
from app.projects.organizations import write_organizations
from app.projects.tables import projects
from app.settings import get_settings

NAME_LENGTH = 150
MAX_MEMBERS = 1000
MAX_DATA = 256 * 1024
NO_PROJECT = "NO_PROJECT"


def is_folder_name(name: str) -> bool:
    """Whether a project's folder may have this name."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,149}", name) is not None


async def create_project(subject: Subject, values: Mapping[str, Any]) -> int:
    """Make a project whose first owner is the caller.

    Owners of the installation may, and everybody where ISTHMUS_PROJECTS_BY_ANYBODY says so.
    """
    if get_settings().access.projects_by_anybody:
        subject.require_account()
    else:
        subject.require_owner()
    values = _checked(values)
    parts = values.pop("organizations", ())
    uuid = slug(values["name"])
    async with db.transaction(subject) as tx:
        if await tx.one(select(projects.c.id).where(projects.c.uuid == uuid)):
            raise Invalid(f"A project {uuid} exists already.", "NAME_TAKEN", path=("name",))
        await _refuse_client_id(tx, values)
        who = {"created_by": subject.user_id, "updated_by": subject.user_id}
        row = await insert_row(tx, projects, {**values, "uuid": uuid, **who})
        await write_organizations(tx, row["id"], parts)
        if subject.user_id is not None:
            await set_role(tx, row["id"], subject.user_id, "owner")
        await tx.audit("project.create", "Project", row["id"], project_id=row["id"])
    return int(row["id"])


async def update_project(
    subject: Subject, project_id: int, values: Mapping[str, Any], expected_version: int | None
) -> int:
    """Change what is given of a project; its uuid stays."""
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        row = await lock_project(tx, project_id, "project.write")
        await _refuse_client_id(tx, checked, project_id)
        kept = {n: v for n, v in checked.items() if n != "organizations"}
        changed = {**kept, "updated_by": subject.user_id}
        await update_row(tx, projects, row, changed, expected_version)
        if "organizations" in checked:
            await write_organizations(tx, project_id, checked["organizations"])
        await tx.audit(
            "project.update", "Project", project_id, project_id=project_id, fields=sorted(checked)
        )
    return project_id


async def delete_project(subject: Subject, project_id: int) -> int:
    """Delete a project with all that is in it; never the last one."""
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "project.delete")
        # One lock for all projects, so that the last two cannot go at the same moment.
        await tx.execute(text("SELECT pg_advisory_xact_lock(7316484)"))
        left = await tx.one(select(func.count().label("n")).select_from(projects))
        if left is None or left["n"] <= 1:
            raise Invalid("The last project cannot be deleted.", "LAST_PROJECT")
        await delete_row(tx, projects, project_id)
        await tx.audit("project.delete", "Project", project_id, project_id=project_id)
    return project_id


async def create_membership(subject: Subject, project_id: int, user_id: int, role: str) -> int:
    """Make a user a member."""
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "member.write")
        row = await add_member(tx, project_id, user_id, role)
        await tx.audit("membership.create", "Membership", row["id"], project_id=project_id)
    return int(row["id"])


async def create_memberships(
    subject: Subject, project_id: int, members: Sequence[tuple[int, str]]
) -> list[int]:
    """Make users members, each with a role; all or none."""
    if len(members) > 100:
        raise Invalid("At most 100 members at once.", path=("members",))
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "member.write")
        made = [int((await add_member(tx, project_id, *one))["id"]) for one in members]
        shown = f"{len(made)} members"
        await tx.audit("membership.create_many", "Membership", shown, project_id=project_id)
    return made


async def role_name(number: int) -> str:
    """The name of a role; Invalid where there is none of that number."""
    async with db.reading() as connection:
        found: str | None = await connection.scalar(
            select(roles.c.name).where(roles.c.id == number)
        )
    if found is None:
        text = f'Invalid pk "{number}" - object does not exist.'
        raise Invalid(text, path=("roleNumber",))
    return found


async def add_member(tx: db.Tx, project_id: int, user_id: int, role: str) -> RowMapping:
    """Make a user a member, if the caller may give that role; the project is locked already."""
    await may_give(tx, project_id, role)
    if not await tx.one(select(users.c.id).where(users.c.id == user_id)):
        raise Invalid("There is no such user.", path=("userId",))
    members = select(func.count().label("n")).where(memberships.c.project_id == project_id)
    present = await tx.one(members)
    if present is not None and present["n"] >= MAX_MEMBERS:
        raise Invalid(f"A project has at most {MAX_MEMBERS} members.")
    if await tx.one(
        select(memberships.c.id).where(
            memberships.c.project_id == project_id, memberships.c.user_id == user_id
        )
    ):
        raise Invalid("Member already exist", "NAME_TAKEN", path=("userId",))
    row = await set_role(tx, project_id, user_id, role)
    if tx.subject.user_id is not None:
        await tx.execute(
            update(memberships)
            .where(memberships.c.id == row["id"])
            .values(added_by=tx.subject.user_id)
        )
    return row


async def update_membership(
    subject: Subject,
    membership_id: int,
    role: str,
    expected_version: int | None,
    within: int | None = None,
) -> int:
    """Change a member's role; NotFound where it is no member of the project `within`."""
    async with db.transaction(subject) as tx:
        row = await _member(tx, membership_id, within)
        await may_give(tx, row["project_id"], role)
        role_row = await tx.one(select(roles).where(roles.c.name == role))
        if role_row is None:
            raise Invalid(f"There is no role {role}.", path=("role",))
        if role != "owner":
            await _refuse_last_owner(tx, row)
        await update_row(tx, memberships, row, {"role_id": role_row["id"]}, expected_version)
        await tx.audit(
            "membership.update",
            "Membership",
            membership_id,
            project_id=row["project_id"],
            fields=["role"],
        )
    return membership_id


async def delete_membership(subject: Subject, membership_id: int, within: int | None = None) -> int:
    """Remove a member; members may remove themselves. NotFound where it is none `within`."""
    async with db.transaction(subject) as tx:
        row = await _member(tx, membership_id, within, or_self=True)
        await _refuse_last_owner(tx, row)
        await delete_row(tx, memberships, membership_id)
        await tx.audit(
            "membership.delete", "Membership", membership_id, project_id=row["project_id"]
        )
    return membership_id


async def lock_project(tx: db.Tx, project_id: int, permission: str) -> RowMapping:
    """A project, locked for a change; rows that belong to it can be added meanwhile.

    NotFound where it does not exist or the caller may not see it.
    """
    tx.subject.require_known()
    wanted = select(projects).where(projects.c.id == project_id)
    row = await tx.one(wanted.with_for_update(key_share=True))
    hidden = row is None or row["is_private"]
    if row is None or (hidden and not tx.subject.may("project.read", project_id)):
        raise NotFound("There is no such project.", reason=NO_PROJECT)
    tx.subject.require(permission, project_id)
    return row


async def _member(
    tx: db.Tx, membership_id: int, within: int | None, *, or_self: bool = False
) -> RowMapping:
    tx.subject.require_known()
    wanted = memberships.c.id == membership_id
    # The project's row is locked first: two owners who remove each other wait in one line.
    await tx.one(
        select(projects.c.id)
        .join(memberships, memberships.c.project_id == projects.c.id)
        .where(wanted)
        .with_for_update(of=projects, key_share=True)
    )
    row = await tx.one(select(memberships).where(wanted).with_for_update())
    if row is None or not tx.subject.may("project.read", row["project_id"]):
        raise NotFound("There is no such membership.")
    if within not in (None, row["project_id"]):
        raise NotFound("There is no such membership.")
    own = row["user_id"] == tx.subject.user_id and not tx.subject.is_limited
    if not (or_self and own):
        tx.subject.require("member.write", row["project_id"])
        current = await tx.one(select(roles.c.name).where(roles.c.id == row["role_id"]))
        if current is not None:
            await may_give(tx, row["project_id"], current["name"])
    return row


async def may_give(tx: db.Tx, project_id: int, role: str) -> None:
    """Nobody makes or unmakes members who may more than oneself; Forbidden STRONGER_ROLE."""
    row = await tx.one(select(roles.c.permissions).where(roles.c.name == role))
    held = () if row is None else row["permissions"]
    if not all(tx.subject.may(permission, project_id) for permission in held):
        text = f"You cannot give or take the role {role}, whose members may do more than you."
        raise Forbidden(text, reason="STRONGER_ROLE")


async def _refuse_last_owner(tx: db.Tx, row: RowMapping) -> None:
    owners = (
        select(memberships.c.user_id)
        .join(roles, roles.c.id == memberships.c.role_id)
        .where(memberships.c.project_id == row["project_id"], roles.c.name == "owner")
    )
    found = [owner["user_id"] for owner in await tx.all(owners)]
    if found == [row["user_id"]]:
        raise Invalid("This is the last owner of the project.", "LAST_OWNER")


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    if "name" in checked:
        name = (checked["name"] or "").strip()
        if not name or len(name) > NAME_LENGTH:
            raise Invalid(
                f"A project needs a name of 1 to {NAME_LENGTH} characters.",
                "NAME_MISSING",
                path=("name",),
            )
        checked["name"] = name
    if len(orjson.dumps(checked.get("data"))) > MAX_DATA:
        raise Invalid(f"`data` may have at most {MAX_DATA} bytes.", path=("data",))
    folder = checked.get("folder")
    if folder is not None and not is_folder_name(folder):
        raise Invalid(
            "A folder's name begins with a letter, has letters, digits, `_`, `-` and `.`, and at "
            f"most {NAME_LENGTH} characters.",
            path=("folder",),
        )
    return checked


async def _refuse_client_id(tx: db.Tx, values: Mapping[str, Any], own_id: int = 0) -> None:
    wanted = values.get("client_id")
    if wanted is None:
        return
    if len(wanted) > 128:
        text = "Ensure this field has no more than 128 characters."
        raise Invalid(text, path=("clientId",))
    c = projects.c
    if await tx.one(select(c.id).where(c.client_id == wanted, c.id != own_id)):
        raise Invalid("This clientId is in use.", "CLIENT_ID_TAKEN", path=("clientId",))
