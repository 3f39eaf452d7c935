"""Real PostgreSQL and Valkey for every test; a migrated database for every test module."""

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

# What is imported below is kept as bytecode, even if the environment says otherwise: three workers
# and hundreds of child processes would compile everything again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import httpx2
import pytest
import pytest_asyncio
import structlog
from argon2 import PasswordHasher
from starlette.applications import Starlette

from app.access import passwords
from app.access.installation import keys
from app.cli.migrate import migrate
from app.core import db
from app.core.crypto import KeyRing
from app.server import create_app
from app.settings import get_settings
from tests.servers import (  # noqa: F401  (fixtures)
    SessionServers,
    database_name,
    session_servers,
    urls,
)
from tests.ui.browser import find_chromium

# The default renderer draws tracebacks with local variables, which takes seconds.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
)

RING = KeyRing.generate()
ADMIN_PASSWORD = "admin-password"
PROGRAMS = {
    "node": lambda: shutil.which("node") and shutil.which("npm"),
    "chromium": find_chromium,
    "mariadb": lambda: shutil.which("mariadbd"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs an absent program, unless ISTHMUS_REQUIRE says it must be there."""
    required = set(filter(None, os.environ.get("ISTHMUS_REQUIRE", "").split(",")))
    absent = {name for name, found in PROGRAMS.items() if not found()}
    left_out = [i for i in items if any(i.get_closest_marker(n) for n in absent - required)]
    if left_out:
        named = ", ".join(sorted(absent - required))
        config.stash[LEFT_OUT] = f"{len(left_out)} tests need {named}, which is not here"
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not look at it again and again."""
    gc.freeze()


LEFT_OUT = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    """One line about what was deselected."""
    if LEFT_OUT in config.stash:
        terminalreporter.write_line(f"deselected: {config.stash[LEFT_OUT]}")  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def _environment(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Settings of the tests' own processes."""
    patch = pytest.MonkeyPatch()
    patch.setenv("REDIS_URL", session_servers.urls.redis_url)
    patch.setenv("ISTHMUS_SECRET_KEYS", RING)
    patch.setenv("ISTHMUS_HOME", str(tmp_path_factory.mktemp("home")))
    patch.setenv("ISTHMUS_ADMIN_PASSWORD", ADMIN_PASSWORD)
    patch.setenv("ISTHMUS_API_KEY", "installation-key")
    # Servers that tests start as processes hash as users' do, and so does `test_passwords`.
    patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def template(session_servers: SessionServers, _environment: None) -> str:
    """Name of a migrated and bootstrapped database to copy."""
    url = session_servers.create_database()

    async def prepare() -> None:
        db.connect(url, 2)
        await migrate(KeyRing.parse(RING))
        await db.disconnect()

    get_settings.cache_clear()
    asyncio.run(prepare())
    return database_name(url)


@pytest.fixture(scope="module")
def compile_reads() -> bool:
    """Whether reads are answered by one statement; `tests/executed.py` runs some tests without."""
    return True


@dataclass(frozen=True)
class Database:
    """A database of this module."""

    url: str


@pytest.fixture(scope="module")
def database(
    session_servers: SessionServers, template: str, compile_reads: bool
) -> Iterator[Database]:
    """A fresh, migrated database with the first owner and the default project."""
    url = session_servers.create_database(template)
    yield Database(url)
    session_servers.drop_database(url)


@pytest.fixture(scope="module")
def authentication() -> bool:
    """Whether users must sign in; a module that wants it off overrides this fixture."""
    return True


@pytest_asyncio.fixture(scope="module")
async def app(
    database: Database, authentication: bool, compile_reads: bool
) -> AsyncIterator[Starlette]:
    """The whole application, started on the module's database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database.url)
        patch.setenv("REQUIRE_USER_AUTHENTICATION", str(authentication).lower())
        patch.setenv("ISTHMUS_INTROSPECTION", "open")
        patch.setenv("ISTHMUS_COMPILE", str(compile_reads))
        patch.setenv("ISTHMUS_PLAYGROUND", "true")
        patch.setenv("ISTHMUS_SIGNUP", "open")
        get_settings.cache_clear()
        made = create_app()
        async with made.router.lifespan_context(made):
            yield made
        get_settings.cache_clear()


@pytest_asyncio.fixture(scope="module")
async def client(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client without credentials."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


@pytest.fixture(scope="module")
def api_key(app: Starlette) -> str:
    """The installation's api_key."""
    return keys().api_key


@pytest_asyncio.fixture(scope="module")
async def owner_token(client: httpx2.AsyncClient) -> str:
    """A session token of the first owner."""
    query = (
        'mutation($p: String!) { sessionCreate(input: {login: "admin", password: $p}) '
        "{ token errors { message } } }"
    )
    answer = await client.post(
        "/v2/graphql", json={"query": query, "variables": {"p": ADMIN_PASSWORD}}
    )
    return str(answer.json()["data"]["sessionCreate"]["token"])
