"""A headless Chromium, driven over the DevTools protocol: no Node, no download."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0


def find_chromium() -> str | None:
    """Path of the browser: `CHROMIUM`, else the first known name on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Refused(Exception):
    """A DevTools command that could not be done, such as one sent while the page changes."""


class Page:
    """One tab, with every address it asked for and every fault it reported."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requests: list[str] = []
        self.faults: list[str] = []
        self._socket = socket
        self._session = ""
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def open_tab(self) -> None:
        """Create the tab and begin to record."""
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.send(f"{domain}.enable")

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """One DevTools command and its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        try:
            return await asyncio.wait_for(self._answers[number], PATIENCE)
        finally:
            del self._answers[number]

    async def listen(self) -> None:
        """Sort what the browser says into answers and records, until it hangs up."""
        async for text in self._socket:
            message = json.loads(text)
            if "id" not in message:
                self._record(message["method"], message["params"])
                continue
            future = self._answers.get(message["id"])
            if future is None or future.done():
                continue
            if "error" in message:
                future.set_exception(Refused(message["error"]["message"]))
            else:
                future.set_result(message["result"])

    def _record(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(params["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", details["text"])
                self.faults.append(f"exception: {thrown}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                values = [arg.get("value", arg.get("description")) for arg in params["args"]]
                self.faults.append(f"console: {values}")
            # Refused loads and content-security violations arrive here, not on the console.
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                entry = params["entry"]
                self.faults.append(f"log: {entry['text']} {entry.get('url', '')}")

    async def goto(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page."""
        answer = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until the expression is true; a failure shows what the page says instead."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(Refused):
                if await self.evaluate(f"Boolean({expression})"):
                    return
            await asyncio.sleep(0.05)
        seen = await self.evaluate("document.body.innerText")
        raise AssertionError(f"never true: {expression}\nfaults: {self.faults}\npage: {seen}")

    async def screenshot(self) -> bytes:
        """What the tab shows now, as PNG."""
        picture = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(picture["data"])


@asynccontextmanager
async def chromium_page(profile: Path) -> AsyncIterator[Page]:
    """A tab of a fresh browser whose profile lives in `profile`; gone when the block ends."""
    program = find_chromium()
    assert program, "Chromium is not installed: set CHROMIUM or put it on PATH."
    options = [
        "--headless=new",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1400,900",
    ]
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root; the pages are our own.
        options.append("--no-sandbox")
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = await _devtools_address(profile / "DevToolsActivePort")
        async with connect(address, max_size=None) as socket:
            page = Page(socket)
            listener = asyncio.create_task(page.listen())
            try:
                await page.open_tab()
                yield page
            finally:
                listener.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _devtools_address(port_file: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = _lines(port_file)
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise AssertionError("Chromium did not open its DevTools port.")


def _lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []
