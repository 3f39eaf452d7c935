"""The endpoint that docs/mage.md adds, made of what the page says and tried as it says."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from app.graphql.schema import build_schema
from app.settings import get_settings
from rest_compat.kernel import mount
from rest_compat.mage.routes import dialect
from tests.factories import rows
from tests.house.places import documents
from tests.rest_compat.conftest import Call

SECTION = documents()["docs/mage.md"].split("## Adding an endpoint")[1]
(OPERATIONS,) = re.findall(r"```graphql\n(.*?)```", SECTION, flags=re.DOTALL)
MODULE, TEST = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
Written = Callable[[Call], Awaitable[None]]


def names_of(source: str, what: str) -> dict[str, Any]:
    """What a module of the page defines."""
    found: dict[str, Any] = {}
    exec(compile(source, what, "exec"), found)
    return found


TESTS = {n: f for n, f in names_of(TEST, "the page's test").items() if n.startswith("test_")}


@pytest_asyncio.fixture(scope="module")
async def client(
    app: Starlette, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application whose Mage dialect has the page's endpoint."""
    settings = get_settings()
    mage = dialect(settings)
    folder = tmp_path_factory.mktemp("documents")
    for file in mage.documents.glob("*.graphql"):
        (folder / file.name).write_text(file.read_text())
    (folder / "notes.graphql").write_text(OPERATIONS)
    routes = (*mage.routes, *names_of(MODULE, "notes.py")["ROUTES"])
    grown = replace(mage, documents=folder, routes=routes)
    made = Starlette(routes=mount(build_schema(), settings, [grown]))
    transport = httpx2.ASGITransport(app=made, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as sender:
        yield sender


@pytest.fixture
async def call(client: httpx2.AsyncClient, api_key: str) -> Call:
    """Send a request as the first owner."""
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": (await rows.session(1)).token}

    async def send(method: str, path: str, body: Any = None) -> httpx2.Response:
        return await client.request(method, path, json=body, headers=headers)

    return send


@pytest.mark.parametrize("written", TESTS.values(), ids=list(TESTS))
async def test_the_pages_own_test_passes(call: Call, written: Written) -> None:
    await written(call)


async def test_policy_is_as_the_page_says(client: httpx2.AsyncClient, api_key: str) -> None:
    project = await rows.project()
    await rows.pipeline(project, "ours", description="old")
    said = {}
    for role in ("viewer", "editor"):
        user = await rows.user(role)
        await rows.member(project, user, role)
        token = (await rows.session(user)).token
        headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": token}
        read = (await client.get("/api/notes/ours", headers=headers)).json()
        body = {"note": {"text": role}}
        written = (await client.put("/api/notes/ours", json=body, headers=headers)).json()
        said[role] = (read["note"]["text"], written.get("note") or written["error"]["code"])
    assert said == {"viewer": ("old", 403), "editor": ("old", {"text": "editor"})}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("def may_read(", "app/pipelines/rules.py"),
        ("def token_if_runner(", "app/pipelines/rules.py"),
        ("rules.token_if_runner", "app/pipelines/types.py"),
        ("async def lock_pipeline(", "app/pipelines/actions/_shared.py"),
        ("async def update_pipeline(", "app/pipelines/actions/pipelines.py"),
        ("class PipelineCreateInput", "app/pipelines/inputs.py"),
        ("class PipelineUpdateInput", "app/pipelines/inputs.py"),
        ('"is_owner", "is_active"', "app/access/actions.py"),
        ("ROLES: dict", "app/core/rules.py"),
        ("WHAT = {", "tests/rest_compat/test_authorisation.py"),
    ],
)
def test_what_the_page_names_is_there(name: str, file: str) -> None:
    assert name in (Path(__file__).parents[2] / file).read_text()
