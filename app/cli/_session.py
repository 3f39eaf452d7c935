"""A database for one short command: DATABASE_URL, or the embedded one of a running `dev`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import select

from app.access.installation import (
    generated_password,
    home_ring,
    load_ring,
    open_installation,
)
from app.access.tables import users
from app.core import db, outbox
from app.core.crypto import KeyRing, SecretError
from app.embedded import EmbeddedError, EmbeddedServers
from app.settings import get_settings


class NotReachable(Exception):
    """There is no database to talk to; the text says what to do."""


async def with_database(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run `work` with the database connected."""
    settings = get_settings()
    url, redis_url, ring = settings.places.database_url, settings.places.redis_url, None
    try:
        if not url:
            home = settings.places.home_dir
            urls = EmbeddedServers(home).urls
            url, redis_url = urls.database_url, redis_url or urls.redis_url
            ring = KeyRing.parse(settings.access.secret_keys or home_ring(home))
        ring = ring or load_ring(settings.access)
    except (EmbeddedError, SecretError, OSError) as error:
        raise NotReachable(str(error)) from error
    db.connect(url, 2)
    if redis_url:
        outbox.connect(redis_url)
    try:
        try:
            await db.wait_until_reachable(10 if settings.places.database_url else 0)
        except Exception as error:
            raise NotReachable(
                "The database does not answer. Start `isthmus dev`, or set DATABASE_URL. "
                f"({type(error).__name__})"
            ) from error
        return await work_with_installation(work, ring)
    finally:
        await outbox.disconnect()
        await db.disconnect()


async def work_with_installation(work: Callable[[], Awaitable[Any]], ring: KeyRing) -> Any:
    """Run `work` with the installation's secrets open, as far as the database has them."""
    from app.migrations import run as migrations

    if await migrations.current() is not None:
        await open_installation(ring, get_settings().access)
    return await work()


def installation_facts(environ: Mapping[str, str]) -> dict[str, str]:
    """The api_key and the first owner of the installation that `dev` runs with this environment."""
    return asyncio.run(_facts(environ))


async def _facts(environ: Mapping[str, str]) -> dict[str, str]:
    access = get_settings().access
    ring = KeyRing.parse(environ["ISTHMUS_SECRET_KEYS"])
    db.connect(environ["DATABASE_URL"], 1)
    try:
        keys = await open_installation(ring, access)
        password = access.admin_password and "as set in ISTHMUS_ADMIN_PASSWORD"
        password = password or await generated_password(ring) or "as it was changed to"
        async with db.reading() as connection:
            owner = select(users.c.username).where(users.c.is_owner).order_by(users.c.id)
            username = await connection.scalar(owner.limit(1))
        return {"api_key": keys.api_key, "username": str(username), "password": password}
    finally:
        await db.disconnect()
