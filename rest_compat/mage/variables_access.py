"""From a REST request to variables: sessions and users."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.page import path_number, row_number
from rest_compat.mage.variables import attributes, picked

USER = {
    "username": "username",
    "email": "email",
    "first_name": "firstName",
    "last_name": "lastName",
    "owner": "isOwner",
}


def login(call: Call) -> dict[str, Any]:
    """Name and password of a login; empty where missing."""
    given = attributes(call, "session")
    name = given.get("email") or given.get("username") or ""
    return {"login": name, "password": given.get("password") or ""}


def new_user(call: Call) -> dict[str, Any]:
    """Input of a new user."""
    given = attributes(call, "user")
    made = {"username": "", "password": _password(given), **picked(given, USER)}
    return {"input": {**made, **_role(given)}}


def changes_password(call: Call) -> bool:
    """Whether the update of a user is about the password."""
    return bool(attributes(call, "user").get("password"))


def user_changes(call: Call) -> dict[str, Any]:
    """Input of a change of a user."""
    given = attributes(call, "user")
    if given.get("roles_new") == []:
        raise Invalid("roles_new cannot be emptied: end the membership over GraphQL.")
    return {"input": {"number": path_number(call), **picked(given, USER), **_role(given)}}


def new_password(call: Call) -> dict[str, Any]:
    """Input of a change of a password; of one's own with the current one."""
    given = attributes(call, "user")
    if any(name in given for name in (*USER, "roles_new")):
        raise Invalid("Change the password by a request of its own.")
    made = {"newPassword": _password(given), "currentPassword": given.get("password_current")}
    return {"input": {"number": path_number(call), **made}}


def _password(given: Mapping[str, Any]) -> Any:
    password = given.get("password") or ""
    if given.get("password_confirmation", password) != password:
        raise Invalid("password and password_confirmation are not the same.")
    return password


def _role(given: Mapping[str, Any]) -> dict[str, Any]:
    """The role that `roles_new` names, as an id or as an object with one."""
    roles = given.get("roles_new") or []
    if not isinstance(roles, list) or len(roles) > 1:
        raise Invalid("roles_new must be a list of one role: a user has one in a project.")
    numbers = [row_number(str(r.get("id") if isinstance(r, Mapping) else r)) for r in roles]
    return {"roleNumber": numbers[0]} if numbers else {}
