"""Verbs of users, sessions and API keys. Each does a thing whole, in one transaction."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, or_, select, text, update

from app.access import passwords
from app.access.identify import KEY_PREFIX, envelope
from app.access.installation import forget_generated_password
from app.access.roles import NewRole, give_role
from app.access.tables import api_keys, login_attempts, sessions, users
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Forbidden, Invalid, NotFound, RateLimited
from app.core.ids import new_token, token_hash
from app.core.rules import OF_GROUPS, PERMISSIONS, Subject
from app.settings import get_settings

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 5
PER_ADDRESS = 20
NAME_LENGTH = 150
MAX_GROUPS = 50
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,150}")

_one_guess = asyncio.Lock()
"""Guesses are counted before the next is judged, so that many at once are no way round the bound.

Judging one takes all cores anyway, since argon2 has several lanes.
"""


@dataclass(frozen=True)
class Login:
    """A new session and its token, which is shown only now."""

    session_id: int
    token: str
    jwt: str
    expires_at: datetime


async def create_session(subject: Subject, login: str, password: str) -> Login:
    """Log in by username or e-mail.

    Raises Invalid (CREDENTIALS_MISSING, CREDENTIALS_INVALID) and RateLimited after five failures
    for the account or twenty from the address within a quarter of an hour.
    """
    user = await prove(subject, login, password)
    account = user["username"].lower()
    lifetime = get_settings().access.mage_token_seconds
    lasts = (
        timedelta(seconds=lifetime)
        if lifetime
        else timedelta(days=get_settings().access.session_days)
    )
    token = new_token()
    async with db.transaction(subject) as tx:
        await tx.execute(delete(login_attempts).where(login_attempts.c.account == account))
        row = await insert_row(
            tx,
            sessions,
            {
                "user_id": user["id"],
                "token_hash": token_hash(token),
                "expires_at": datetime.now(UTC) + lasts,
                "address": subject.address,
            },
        )
        await tx.audit("session.create", "Session", row["id"])
    expires = row["expires_at"]
    return Login(row["id"], token, envelope(token, expires.timestamp()), expires)


async def prove(subject: Subject, login: str, password: str) -> RowMapping:
    """The active user with this name and password; raises as create_session does."""
    if not login or not password:
        raise Invalid("Email/username and password are required.", "CREDENTIALS_MISSING")
    account = login.strip().lower()[:NAME_LENGTH]
    user = await _user_by_login(account)
    if user is not None:
        # Two names of one account do not give two sets of guesses.
        account = user["username"].lower()
    async with _one_guess:
        await _refuse_guessing(account, subject.address)
        right = await passwords.matches(password, user["password_hash"] if user else None)
        if user is None or not right or not user["is_active"]:
            await _record_failure(subject, account, user)
            raise Invalid("Email/username and/or password invalid.", "CREDENTIALS_INVALID")
    return user


async def _user_by_login(account: str) -> RowMapping | None:
    statement = select(users).where(
        or_(func.lower(users.c.username) == account, func.lower(users.c.email) == account)
    )
    async with db.reading() as connection:
        return (await connection.execute(statement.order_by(users.c.id))).mappings().first()


async def _refuse_guessing(account: str, address: str | None) -> None:
    since = datetime.now(UTC) - WINDOW
    statement = select(
        func.count().filter(login_attempts.c.account == account),
        func.count().filter(login_attempts.c.address == address),
        func.min(login_attempts.c.at),
    ).where(
        login_attempts.c.at > since,
        or_(login_attempts.c.account == account, login_attempts.c.address == address),
    )
    async with db.reading() as connection:
        by_account, by_address, oldest = (await connection.execute(statement)).one()
    if by_account >= PER_ACCOUNT or by_address >= PER_ADDRESS:
        wait = max(1, int((oldest + WINDOW).timestamp() - time.time()))
        raise RateLimited(f"Too many failed logins. Try again in {wait} seconds.", wait)


async def _record_failure(subject: Subject, account: str, user: RowMapping | None) -> None:
    async with db.transaction(subject) as tx:
        await tx.execute(insert(login_attempts).values(account=account, address=subject.address))
        await tx.audit("session.refuse", "User", user["id"] if user else None)


async def delete_session(subject: Subject, session_id: int | None = None) -> int:
    """Log out: the caller's own session, or another of theirs (an owner: anybody's)."""
    subject.require_account()
    wanted = session_id if session_id is not None else subject.session_id
    if wanted is None:
        raise NotFound("There is no session to end.")
    async with db.transaction(subject) as tx:
        row = await tx.one(select(sessions).where(sessions.c.id == wanted))
        if row is None or (row["user_id"] != subject.user_id and not subject.is_owner):
            raise NotFound("There is no such session.")
        await _lock_user(tx, row["user_id"])  # first, as all who change a user's credentials do
        await tx.execute(
            update(sessions)
            .where(sessions.c.id == wanted, sessions.c.revoked_at.is_(None))
            .values(revoked_at=func.now(), expires_at=func.least(sessions.c.expires_at, func.now()))
        )
        await tx.audit("session.delete", "Session", wanted)
    return wanted


async def create_user(
    subject: Subject, values: Mapping[str, Any], password: str, role: NewRole | None = None
) -> int:
    """Make a user; only an owner of the installation may. Raises Invalid NAME_TAKEN."""
    subject.require_owner()
    checked = checked_user(values)
    if not checked.get("username"):
        raise Invalid("A user needs a username.", "NAME_MISSING", path=("username",))
    passwords.check_new(password)
    secret = await passwords.hashed(password)
    async with db.transaction(subject) as tx:
        await refuse_taken(tx, checked, None)
        row = await insert_row(tx, users, {**checked, "password_hash": secret})
        if role is not None:
            await give_role(tx, int(row["id"]), role)
        await tx.audit("user.create", "User", row["id"], fields=sorted(checked))
    return int(row["id"])


async def update_user(
    subject: Subject,
    user_id: int,
    values: Mapping[str, Any],
    expected_version: int | None,
    role: NewRole | None = None,
) -> int:
    """Change a user: oneself (names and e-mail), or anybody where the caller is an owner."""
    subject.require_account()
    checked = checked_user(values)
    if not subject.is_owner:
        if user_id != subject.user_id:
            raise NotFound("There is no such user.")
        if {"is_owner", "is_active"} & set(checked):
            raise Forbidden("Only an owner may change who is an owner or active.")
        if role is not None:
            raise Forbidden("Only an owner may give a role with the user's other attributes.")
    async with db.transaction(subject) as tx:
        row = await _lock_user(tx, user_id)
        await refuse_taken(tx, checked, user_id)
        if row["is_owner"] and not (
            checked.get("is_owner", True) and checked.get("is_active", True)
        ):
            await _refuse_last_owner(tx, user_id)
        await update_row(tx, users, row, checked, expected_version)
        if checked.get("is_active") is False:
            await _revoke_all(tx, user_id)
        if role is not None:
            await give_role(tx, user_id, role)
        fields = sorted(checked) + (["role"] if role else [])
        await tx.audit("user.update", "User", user_id, fields=fields)
    return user_id


async def delete_user(subject: Subject, user_id: int) -> int:
    """Delete a user with its sessions, keys and memberships; only an owner may."""
    subject.require_owner()
    async with db.transaction(subject) as tx:
        row = await _lock_user(tx, user_id)
        if row["is_owner"]:
            await _refuse_last_owner(tx, user_id)
        await delete_row(tx, users, user_id)
        await tx.audit("user.delete", "User", user_id)
    return user_id


async def change_password(
    subject: Subject, user_id: int | None, current: str | None, new: str
) -> int:
    """Set a password and end the user's other sessions.

    One's own needs the current one; an owner may set anybody's.
    """
    own = subject.require_account()
    wanted = own if user_id is None else user_id
    if wanted is None:
        raise NotFound("There is no such user.")
    if wanted != own and not subject.is_owner and subject.kind != "system":
        raise NotFound("There is no such user.")
    passwords.check_new(new)
    if wanted == own and subject.kind in ("session", "key"):
        async with db.reading() as connection:
            stored = await connection.scalar(
                select(users.c.password_hash).where(users.c.id == wanted)
            )
        async with _one_guess:
            await _refuse_guessing(f"#{wanted}", subject.address)
            if not await passwords.matches(current or "", stored):
                await _record_failure(subject, f"#{wanted}", None)
                text, path = "The current password is wrong.", ("currentPassword",)
                raise Invalid(text, "CREDENTIALS_INVALID", path=path)
    secret = await passwords.hashed(new)
    async with db.transaction(subject) as tx:
        row = await _lock_user(tx, wanted)
        await update_row(tx, users, row, {"password_hash": secret})
        await _revoke_all(tx, wanted, keep_session=subject.session_id, keys_too=False)
        if row["is_owner"]:
            await forget_generated_password(tx)
        await tx.audit("password.change", "User", wanted, fields=["password"])
    return wanted


async def create_api_key(
    subject: Subject,
    *,
    name: str,
    project_id: int | None = None,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
    user_id: int | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[int, str]:
    """Make a key of the caller (the command line: of `user_id`); returns its id and, once, the key.

    A key can do what its user can, within its scopes and its project if those are given. With
    `groups`, which only an owner of the installation may give, it belongs to these user groups of
    the semantic model, and its scopes are `semantic.read` where none are given.
    """
    owner_id = user_id if subject.kind == "system" else subject.require_known()
    if owner_id is None:
        raise Forbidden("A key belongs to a user.")
    if subject.kind == "key":
        # A key with few scopes could otherwise make itself one with all.
        raise Forbidden("An API key cannot make API keys. Sign in first.")
    named = _checked_key_name(name)
    if groups is not None:
        # The groups of a model's file are who may see what: nobody gives them to oneself.
        subject.require_owner()
        _check_groups(groups)
        scopes = scopes or OF_GROUPS
    unknown = sorted(set(scopes) - set(PERMISSIONS))
    if unknown:
        known = ", ".join(PERMISSIONS)
        raise Invalid(f"Unknown scope {unknown[0]}. Known: {known}.", path=("scopes",))
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid("The key would have expired already.", path=("expiresAt",))
    if project_id is not None and not subject.may("project.read", project_id):
        raise NotFound("There is no such project.")
    token = KEY_PREFIX + new_token()
    async with db.transaction(subject) as tx:
        if project_id is not None and not await tx.one(
            text("SELECT id FROM projects WHERE id = :id"), {"id": project_id}
        ):
            raise NotFound("There is no such project.")
        row = await insert_row(
            tx,
            api_keys,
            {
                "user_id": owner_id,
                "project_id": project_id,
                "name": named,
                "prefix": token[:8],
                "token_hash": token_hash(token),
                "scopes": list(scopes),
                "groups": None if groups is None else list(groups),
                "expires_at": expires_at,
            },
        )
        await tx.audit("api_key.create", "ApiKey", row["id"], project_id=project_id)
    return int(row["id"]), token


async def update_api_key(
    subject: Subject, key_id: int, values: Mapping[str, Any], expected_version: int | None
) -> int:
    """Rename a key."""
    checked = {**values, "name": _checked_key_name(values["name"])}
    async with db.transaction(subject) as tx:
        row = await _own_key(tx, key_id)
        await update_row(tx, api_keys, row, checked, expected_version)
        await tx.audit("api_key.update", "ApiKey", key_id, fields=sorted(checked))
    return key_id


async def revoke_api_key(subject: Subject, key_id: int) -> int:
    """End a key at once."""
    async with db.transaction(subject) as tx:
        await _own_key(tx, key_id)
        await tx.execute(
            update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=func.now())
        )
        await tx.audit("api_key.delete", "ApiKey", key_id)
    return key_id


async def _own_key(tx: db.Tx, key_id: int) -> RowMapping:
    tx.subject.require_account()
    found = select(api_keys).where(api_keys.c.id == key_id)
    if (row := await tx.one(found)) is not None:
        await _lock_user(tx, row["user_id"])
        row = await tx.one(found.with_for_update())
    mine = row is not None and row["user_id"] == tx.subject.user_id
    if row is None or not (mine or tx.subject.is_owner or tx.subject.kind == "system"):
        raise NotFound("There is no such key.")
    return row


async def _lock_user(tx: db.Tx, user_id: int) -> RowMapping:
    row = await tx.one(select(users).where(users.c.id == user_id).with_for_update())
    if row is None:
        raise NotFound("There is no such user.")
    return row


async def refuse_taken(tx: db.Tx, values: Mapping[str, Any], own_id: int | None) -> None:
    """Invalid NAME_TAKEN where another user has the username or e-mail address."""
    for name in ("username", "email"):
        value = values.get(name)
        if not value:
            continue
        # Both are good to log in with, so neither may be another user's other name.
        same = or_(*(func.lower(users.c[n]) == value.lower() for n in ("username", "email")))
        taken = await tx.one(select(users.c.id).where(same, users.c.id != (own_id or 0)))
        if taken is not None:
            raise Invalid(f"The {name} {value} is taken.", "NAME_TAKEN", path=(name,))


async def _refuse_last_owner(tx: db.Tx, user_id: int) -> None:
    # One lock for all owners, so that two of them cannot remove each other at the same moment.
    await tx.execute(text("SELECT pg_advisory_xact_lock(7316483)"))
    other = await tx.one(
        select(users.c.id).where(users.c.is_owner, users.c.is_active, users.c.id != user_id)
    )
    if other is None:
        raise Invalid("This is the last owner of the installation.", "LAST_OWNER")


async def _revoke_all(
    tx: db.Tx, user_id: int, *, keep_session: int | None = None, keys_too: bool = True
) -> None:
    await tx.execute(
        update(sessions)
        .where(
            sessions.c.user_id == user_id,
            sessions.c.revoked_at.is_(None),
            sessions.c.id != (keep_session or 0),
        )
        .values(revoked_at=func.now())
    )
    if keys_too:
        await tx.execute(
            update(api_keys)
            .where(api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )


def _check_groups(groups: Sequence[str]) -> None:
    if len(groups) > MAX_GROUPS or not all(_GROUP.fullmatch(name) for name in groups):
        text = f"A key has at most {MAX_GROUPS} groups; names have letters, digits, `_` and `-`."
        raise Invalid(text, path=("groups",))


def _checked_key_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LENGTH:
        raise Invalid(f"A key needs a name of 1 to {NAME_LENGTH} characters.", path=("name",))
    return name.strip()


def checked_user(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of a user was given, without space around it; Invalid where it cannot be."""
    checked = dict(values)
    for name in ("username", "email", "first_name", "last_name"):
        value = checked.get(name)
        if isinstance(value, str):
            checked[name] = value = value.strip()
            if len(value) > NAME_LENGTH:
                raise Invalid(f"{name} has at most {NAME_LENGTH} characters.", path=(name,))
    if "username" in checked and not checked["username"]:
        raise Invalid("A user needs a username.", "NAME_MISSING", path=("username",))
    if checked.get("email") == "":
        checked["email"] = None
    if checked.get("email") and "@" not in checked["email"]:
        raise Invalid(f"{checked['email']} is no e-mail address.", path=("email",))
    return checked
