"""What the commands about keys and users do."""

from sqlalchemy import select

from app.access import actions, installation
from app.access.roles import set_role
from app.access.tables import api_keys, users
from app.cli.mage_project.stored import find_project
from app.core import db
from app.core.errors import NotFound
from app.core.rules import OF_GROUPS, SYSTEM
from app.projects.tables import projects


async def create_key(
    name: str, username: str, scopes: list[str], groups: list[str], project_uuid: str
) -> str:
    """The new key."""
    user_id = await _user_id(username)
    project_id = (await find_project(project_uuid))["id"] if project_uuid else None
    _, token = await actions.create_api_key(
        SYSTEM,
        name=name,
        scopes=scopes,
        user_id=user_id,
        groups=groups or None,
        project_id=project_id,
    )
    return token


async def list_keys() -> str:
    """A table of keys."""
    statement = select(api_keys, users.c.username).join(users, users.c.id == api_keys.c.user_id)
    async with db.reading() as connection:
        rows = (await connection.execute(statement.order_by(api_keys.c.id))).mappings().all()
    lines = [f"api_key of this installation: {installation.keys().api_key}"]
    for row in rows:
        state = "revoked" if row["revoked_at"] else "active"
        few = OF_GROUPS if row["groups"] is not None else ()
        scopes = ",".join(row["scopes"] or few) or "all"
        if row["groups"] is not None:
            scopes += f"; groups {','.join(row['groups'])}"
        lines.append(
            f"{row['id']:>5}  {row['prefix']}…  {state:<8}  {row['username']:<16}  "
            f"{row['name']}  ({scopes})"
        )
    return "\n".join(lines)


async def revoke_key(number: int) -> str:
    """What was done."""
    await actions.revoke_api_key(SYSTEM, number)
    return f"Key {number} is revoked."


async def add_user(username: str, email: str, password: str, role: str, owner: bool) -> str:
    """What was done; the user becomes a member of the first project."""
    values = {"username": username, "email": email or None, "is_owner": owner}
    made = await actions.create_user(SYSTEM, values, password)
    async with db.transaction(SYSTEM) as tx:
        project = await tx.one(select(projects.c.id).order_by(projects.c.id).limit(1))
        if project is not None:
            await set_role(tx, project["id"], made, "owner" if owner else role)
    return f"User {username} has number {made}."


async def set_password(username: str, password: str) -> str:
    """What was done."""
    user_id = await _user_id(username)
    await actions.change_password(SYSTEM, user_id, None, password)
    return f"The password of {username} is set."


async def _user_id(username: str) -> int:
    statement = select(users.c.id).order_by(users.c.id).limit(1)
    named = users.c.username == username if username else users.c.is_owner
    async with db.reading() as connection:
        found = await connection.scalar(statement.where(named))
    if found is None:
        raise NotFound(f"There is no user {username}.")
    return int(found)
