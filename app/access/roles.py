"""Which role a user has in a project."""

from dataclasses import dataclass

from sqlalchemy import RowMapping, select

from app.access.tables import memberships, roles
from app.core import db
from app.core.changes import insert_row, update_row
from app.core.errors import Invalid


@dataclass(frozen=True)
class NewRole:
    """A role that a user gets in a project, in place of the one it had there."""

    project_id: int
    role_id: int


async def give_role(tx: db.Tx, user_id: int, role: NewRole) -> None:
    """Give it; Invalid where there is no such role."""
    named = await tx.one(select(roles.c.name).where(roles.c.id == role.role_id))
    if named is None:
        raise Invalid(f"There is no role {role.role_id}.", path=("roleNumber",))
    await set_role(tx, role.project_id, user_id, named["name"])


async def set_role(tx: db.Tx, project_id: int, user_id: int, role_name: str) -> RowMapping:
    """Give a user a role in a project, in place of the one it had."""
    role = await tx.one(select(roles).where(roles.c.name == role_name))
    if role is None:
        raise Invalid(f"There is no role {role_name}.", path=("role",))
    row = await tx.one(
        select(memberships)
        .where(memberships.c.project_id == project_id, memberships.c.user_id == user_id)
        .with_for_update()
    )
    if row is None:
        return await insert_row(
            tx,
            memberships,
            {"project_id": project_id, "user_id": user_id, "role_id": role["id"]},
        )
    return await update_row(tx, memberships, row, {"role_id": role["id"]})
