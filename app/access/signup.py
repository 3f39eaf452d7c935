"""The verb of those who make an account of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select, text

from app.access import passwords
from app.access.actions import PER_ADDRESS, WINDOW, checked_user, refuse_taken
from app.access.roles import set_role
from app.access.tables import login_attempts, users
from app.core import db
from app.core.changes import insert_row
from app.core.errors import Forbidden, Invalid, RateLimited
from app.core.rules import Subject
from app.settings import get_settings


async def sign_up(subject: Subject, values: Mapping[str, Any], password: str) -> int:
    """Make an account of one's own, where ISTHMUS_SIGNUP lets anybody; it is not logged in.

    It gets ISTHMUS_SIGNUP_ROLE in the default project. Raises Forbidden where signing up is closed
    and there is a user already, Invalid NAME_TAKEN, and RateLimited after twenty accounts
    from one address within a quarter of an hour.
    """
    policy = get_settings().access
    if policy.signup != "open" and await _has_users():
        raise Forbidden(
            "Signing up is closed here. Ask an owner of the installation for an account."
        )
    checked = checked_user({n: values.get(n) for n in ("username", "email")})
    if not checked.get("username"):
        raise Invalid("A user needs a username.", "NAME_MISSING", path=("username",))
    passwords.check_new(password)
    await _refuse_many(f"+signup {subject.address or ''}")
    secret = await passwords.hashed(password)
    async with db.transaction(subject) as tx:
        await refuse_taken(tx, checked, None)
        row = await insert_row(tx, users, {**checked, "password_hash": secret})
        if policy.signup_role:
            await _join_default(tx, int(row["id"]), policy.signup_role)
        await tx.execute(insert(login_attempts).values(account=f"+signup {subject.address or ''}"))
        await tx.audit("user.signup", "User", row["id"], fields=sorted(checked))
    return int(row["id"])


async def _has_users() -> bool:
    async with db.reading() as connection:
        return await connection.scalar(select(users.c.id).limit(1)) is not None


async def _refuse_many(account: str) -> None:
    recent = login_attempts.c.at > datetime.now(UTC) - WINDOW
    counted = select(func.count()).where(login_attempts.c.account == account, recent)
    async with db.reading() as connection:
        made = int(await connection.scalar(counted) or 0)
    if made >= PER_ADDRESS:
        wait = int(WINDOW.total_seconds())
        raise RateLimited("Too many new accounts from this address. Try again later.", wait)


async def _join_default(tx: db.Tx, user_id: int, role: str) -> None:
    first = await tx.one(text("SELECT id FROM projects ORDER BY id LIMIT 1"))
    if first is not None:
        await set_role(tx, first["id"], user_id, role)
