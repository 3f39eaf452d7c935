"""From an operation's data to Mage's bodies: sessions, users, roles and the server's status."""

from collections.abc import Callable
from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage.moments import row_time
from rest_compat.mage.page import counts, metadata, part
from rest_compat.mage.shape import REPOSITORY, Row, row_of
from rest_compat.mage.words import ROLE_ACCESS


def user(row: Row) -> dict[str, Any]:
    """A user as sessions show it: names and the roles of all its memberships, each once."""
    roles = {m["role"]["id"]: m["role"] for m in row["memberships"] if m["role"]}
    access = 0
    for role in roles.values():
        access |= ROLE_ACCESS.get(role["name"], ROLE_ACCESS["viewer"])
    if row["isOwner"]:
        access |= ROLE_ACCESS["owner"]
    titles = [role["title"] for role in roles.values()]
    return {
        "avatar": None,
        "first_name": row["first_name"],
        "id": row["id"],
        "last_name": row["last_name"],
        "owner": row["isOwner"],
        "project_access": access,
        "roles": None,
        "roles_display": titles[0] if titles else "Owner" if row["isOwner"] else None,
        "roles_new": [_role(role) for role in roles.values()],
        "username": row["username"],
    }


def _role(role: Row) -> dict[str, Any]:
    return {
        "name": role["title"],
        "user_id": None,
        "id": role["id"],
        "created_at": row_time(role["created_at"]),
        "updated_at": row_time(role["updated_at"]),
    }


def session(token_of: Callable[[Call], str | None]) -> Callable[[Any, Call], dict[str, Any]]:
    """A new session with its token, or an ended one with the token that the caller sent."""

    def shape(data: Any, call: Call) -> dict[str, Any]:
        payload = data["payload"]
        made = {
            "expires": row_time(payload["session"]["expiresAt"]),
            "token": payload.get("token") or token_of(call),
            "user": user(payload["user"]),
        }
        return {"session": made, "metadata": None}

    return shape


def access_tokens(data: Any, _: Call) -> dict[str, Any]:
    """The caller's sessions. Only hashes of their tokens are stored, so none is shown."""
    found = data["sessions"]
    listed = [
        {
            "expires": row_time(row["expires"]),
            "token": None,
            "user_id": row["user"]["number"] if row["user"] else None,
        }
        for row in found["nodes"]
    ]
    return {"oauth_access_tokens": listed, "metadata": metadata(found)}


def whole_user(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A user as the users' own routes show it."""
    return {
        **user(row),
        "created_at": row_time(row["created_at"]),
        "email": row["email"],
        "updated_at": row_time(row["updated_at"]),
    }


def users(data: Any, _: Call) -> dict[str, Any]:
    """A list of users."""
    found = data["users"]
    return {"users": [whole_user(row) for row in found["nodes"]], "metadata": metadata(found)}


def read_user(data: Any, _: Call) -> dict[str, Any]:
    """One user."""
    nodes = data["users"]["nodes"]
    row = row_of({"user": nodes[0] if nodes else None}, "user")
    return {"user": whole_user(row), "metadata": None}


def roles(data: Any, call: Call) -> dict[str, Any]:
    """All roles; each has one permission, Mage's access bit for everything."""
    listed = []
    for role in data["roles"]:
        made = _role(role)
        made.pop("user_id")
        permission = {
            "access": ROLE_ACCESS.get(role["name"], ROLE_ACCESS["viewer"]),
            "created_at": made["created_at"],
            "entity": "global",
            "entity_id": None,
            "entity_name": None,
            "entity_type": None,
            "id": role["id"],
            "updated_at": made["updated_at"],
        }
        listed.append({**made, "permissions": [permission], "role_permissions": [], "user": None})
    return {"roles": part(listed, call), "metadata": counts(listed, call)}


def projects(data: Any, _: Call) -> dict[str, Any]:
    """The projects that the caller sees, under the names that Mage gives its own."""
    found = data["projects"]
    listed = [
        {
            "name": row["name"],
            "description": row["description"],
            "id": row["number"],
            "project_uuid": row["uuid"],
            "repo_path": REPOSITORY,
            "features": {},
            "help_improve_mage": False,
            "latest_version": None,
            "version": None,
        }
        for row in found["nodes"]
    ]
    return {"projects": listed, "metadata": metadata(found)}


def statuses(*, authentication: bool) -> Callable[[Any, Call], dict[str, Any]]:
    """The server's status, the same for every caller."""
    status = {
        "is_instance_manager": False,
        "max_print_output_lines": 1000,
        "repo_path": REPOSITORY,
        "repo_path_relative": REPOSITORY,
        "repo_path_relative_root": REPOSITORY,
        "repo_path_root": REPOSITORY,
        "server_process_id": 0,
        "scheduler_process_id": 0,
        "scheduler_status": "running",
        "instance_type": None,
        "disable_pipeline_edit_access": False,
        "require_user_authentication": authentication,
        "require_user_permissions": False,
        "project_type": "standalone",
        "project_uuid": "default",
    }
    return lambda _data, _call: {"statuses": [status], "metadata": {}}
