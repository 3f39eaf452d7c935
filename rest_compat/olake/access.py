"""Signing in and up, users, and what is said to anybody."""

from datetime import UTC, datetime
from typing import Any

from app.core.errors import Unauthenticated
from rest_compat.dialect import Answer, Call
from rest_compat.olake.answer import success
from rest_compat.olake.auth import COOKIE
from rest_compat.olake.values import path_number, text


def credentials(call: Call) -> dict[str, Any]:
    """Who signs in."""
    return {"login": text(call.body, "username"), "password": text(call.body, "password")}


def signed_in(data: Any, call: Call) -> Answer:
    """The username, the token for programs, and the same as a cookie for browsers."""
    session = data["payload"]
    until = datetime.fromisoformat(session["session"]["expiresAt"])
    seconds = max(0, int((until - datetime.now(UTC)).total_seconds()))
    told = {
        "username": session["user"]["username"],
        "access_token": session["token"],
        "token_type": "bearer",
        "expires_in": seconds,
    }
    cookie = f"{COOKIE}={session['token']}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    if call.is_secure or call.headers.get("x-forwarded-proto", "").lower() == "https":
        cookie += "; Secure"
    return Answer(200, success("Login successful", told), {"Set-Cookie": cookie})


def newcomer(call: Call) -> dict[str, Any]:
    """Who signs up."""
    return {"input": {name: text(call.body, name) for name in ("email", "username", "password")}}


def signed_up(_: Any, call: Call) -> dict[str, Any]:
    """What was sent, without the password."""
    told = {name: call.body[name] for name in ("email", "username")}
    return success("Signup successful", told)


def me(data: Any, _: Call) -> dict[str, Any]:
    """Who is calling; Unauthenticated for a key that stands for nobody."""
    if data["me"] is None:
        raise Unauthenticated("Sign in.")
    return success("Authenticated", {"username": data["me"]["username"]})


def new_user(call: Call) -> dict[str, Any]:
    """A user's attributes and password."""
    return {"input": {name: text(call.body, name) for name in ("username", "email", "password")}}


def user_changes(call: Call) -> dict[str, Any]:
    """What is to change of a user."""
    given = {name: text(call.body, name, needed=False) for name in ("username", "email")}
    changes = {name: value for name, value in given.items() if value is not None}
    return {"input": {"number": path_number(call), **changes}}


def users(data: Any, _: Call) -> dict[str, Any]:
    """All users that the caller may see."""
    return success("Users", data["users"]["nodes"])


def user(data: Any, _: Call) -> dict[str, Any]:
    """One user."""
    return success("User", data["payload"]["user"])


def no_user(_: Any, __: Call) -> dict[str, Any]:
    """A user that is gone."""
    return success("User deleted", None)


def releases(_: Any, __: Call) -> dict[str, Any]:
    """No news about releases: nobody is asked for them."""
    names = ("olake_ui_worker", "olake_helm", "olake", "features")
    return success("Releases", {name: {"releases": []} for name in names})


def optimization(_: Any, __: Call) -> dict[str, Any]:
    """The module for the upkeep of tables is not there, and its pages stay hidden."""
    return success("Status", {"enabled": False})


def telemetry(version: str) -> Any:
    """An empty id: with one the web UI would report to third parties."""
    return lambda _, __: success("Telemetry", {"user_id": "", "version": version})


def health(_: Any, __: Call) -> dict[str, str]:
    """Bare, for load balancers."""
    return {"status": "ok"}
