"""Passwords: argon2id, off the event loop, a bounded number at once."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from app.core.errors import Invalid

MIN_LENGTH = 5
MAX_LENGTH = 1024
AT_ONCE = 4

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_slots = asyncio.Semaphore(AT_ONCE)
_dummy: str | None = None


def check_new(password: str) -> str:
    """A password that may be set; Invalid where it is too short or too long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.",
            "PASSWORD_UNSUITABLE",
            path=("password",),
        )
    return password


async def hashed(password: str) -> str:
    """The argon2id hash of a new password."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Whether the password is right. Takes as long for an account that does not exist."""
    global _dummy
    if stored is None:
        if _dummy is None:
            _dummy = await hashed("no such account")
        await _verify(_dummy, password)
        return False
    return await _verify(stored, password)


async def _verify(stored: str, password: str) -> bool:
    async with _slots:
        try:
            return await asyncio.to_thread(_hasher.verify, stored, password[: MAX_LENGTH + 1])
        except (VerifyMismatchError, InvalidHashError):
            return False
