"""Files that are sent to DEEP's API: what is refused, and that nothing of it stays."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette

from app.content.staging import storage
from app.settings import get_settings
from tests.factories import rows
from tests.rest_compat.deep_person import Person, V, person

MOST = 64 * 1024
FORM = {"Content-Type": "multipart/form-data; boundary=cut"}
HEAD = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


@pytest_asyncio.fixture(scope="module")
async def alice(client: httpx2.AsyncClient) -> Person:
    """A user who may write leads somewhere, and so send files."""
    made = await person(client, "alice")
    await rows.member(await rows.project(), made.user, "editor")
    return made


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may have 64 KiB."""
    monkeypatch.setattr(get_settings().door, "max_upload", MOST)


def kept(who: Person) -> set[Path]:
    """Files of attachments, and those of the user that wait to become one."""
    root = storage().root
    return set(root.glob("attachments/*")) | set(root.glob(f"staged/{who.user}/*"))


async def refused(who: Person, status: int, **how: object) -> dict[str, object]:
    """The errors of a refusal, of which nothing stays."""
    before = kept(who)
    answer = await who("POST", "/files/", **how)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"timestamp", "errorCode", "errors"} and told["errorCode"] == status
    assert kept(who) == before
    errors: dict[str, object] = told["errors"]
    return errors


@pytest.mark.parametrize("more", [1, MOST, 2 * 1024 * 1024])
async def test_a_file_that_is_too_large(alice: Person, more: int) -> None:
    content = b"x" * (MOST + more)
    errors = await refused(alice, 413, files={"file": ("a.txt", content, "text/plain")})
    assert errors == {"nonFieldErrors": [f"A file may have at most {MOST} bytes."]}


async def test_a_file_of_the_largest_size(alice: Person) -> None:
    before = kept(alice)
    sent = await alice("POST", "/files/", files={"file": ("a.txt", b"x" * MOST, "text/plain")})
    assert sent.status_code == 201, sent.text
    (new,) = kept(alice) - before
    assert new.parent.name == "attachments" and new.stat().st_size == MOST


@pytest.mark.parametrize("name", ["a.exe", "a", "a.txt.exe", "a.js", ".txt/..", "a.svg"])
async def test_a_file_of_another_type(alice: Person, name: str) -> None:
    errors = await refused(alice, 400, files={"file": (name, b"MZ", "text/plain")})
    assert set(errors) == {"file"} and "Unsupported file type" in str(errors["file"])


async def test_an_empty_file(alice: Person) -> None:
    errors = await refused(alice, 400, files={"file": ("a.txt", b"", "text/plain")})
    assert errors == {"file": "The submitted file is empty."}


async def test_no_file(alice: Person) -> None:
    none = {"file": "No file was submitted."}
    assert await refused(alice, 400, files={"title": (None, "x")}) == none
    assert await refused(alice, 400, files={"other": ("a.txt", b"x", "text/plain")}) == none
    assert await refused(alice, 400, body={"title": "x"}) == none
    assert await refused(alice, 400) == none


async def test_a_form_that_ends_early(alice: Person) -> None:
    await refused(alice, 400, content=HEAD + b"half", headers=FORM)


@pytest_asyncio.fixture
async def address(app: Starlette) -> AsyncIterator[tuple[str, int]]:
    """Where a server listens."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield listening.getsockname()[:2]
    server.should_exit = True
    server.force_exit = True
    await serving


@pytest.mark.parametrize(
    ("path", "begin"), [(f"{V}/files/", HEAD), ("/v2/uploads", b"")], ids=["rest", "graph"]
)
async def test_an_upload_that_breaks_off(
    alice: Person, address: tuple[str, int], path: str, begin: bytes
) -> None:
    before = kept(alice)
    reader, writer = await asyncio.open_connection(*address)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: here",
        f"Authorization: {alice.headers['Authorization']}",
    ]
    head += ["Content-Type: multipart/form-data; boundary=cut", f"Content-Length: {MOST}", "", ""]
    writer.write("\r\n".join(head).encode() + begin + b"x" * (MOST // 2))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    # The server is done with the request once it answers the next one of the same user.
    async with httpx2.AsyncClient(base_url=f"http://{address[0]}:{address[1]}") as client:
        assert (await client.get(f"{V}/users/me/", headers=alice.headers)).status_code == 200
    for _ in range(100):
        if kept(alice) == before:
            break
        await asyncio.sleep(0.05)
    assert kept(alice) == before
