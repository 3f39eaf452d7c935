"""One warm fork server for all tests of blocks, and calls with everything but the point filled."""

import asyncio
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.core.files import Storage
from workers.pipelines import hand_over
from workers.pipelines.calls import BlockCall, BlockResult, Input, LogRecord
from workers.pipelines.fork_server import ForkServer


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[ForkServer]:
    server = ForkServer(grace_s=0.5)
    yield server
    await server.close()


@dataclass
class Bench:
    """Runs pieces of code as blocks of one run."""

    server: ForkServer
    storage: Storage
    project: Path
    logs: list[LogRecord] = field(default_factory=list)
    fence: int = 0

    def call(self, code: str, **parts: Any) -> BlockCall:
        self.fence += 1
        upstream = parts.pop("upstream", ())
        step = parts.get("step_id", 1)
        given: dict[str, Any] = {
            "run_id": "run",
            "step_id": step,
            "block_uuid": "load",
            "block_type": "data_loader",
            "language": "python",
            "content": textwrap.dedent(code),
            "storage": self.storage.root,
            "output_dir": self.storage.step_folder("run", step, self.fence),
            "work_dir": self.project,
            "inputs": tuple(self.given(value) for value in upstream),
            "upstream": parts.pop("upstream_blocks", ()),
        }
        return BlockCall(**{**given, **parts})

    def store(self, value: Any) -> tuple[hand_over.Output, ...]:
        self.fence += 1
        folder = self.storage.step_folder("run", "upstream", self.fence)
        return tuple(hand_over.write_outputs(value, folder, self.storage.root))

    def given(self, value: Any) -> Input:
        return Input((self.store(value),))

    def read(self, result: BlockResult) -> Any:
        assert result.ok, result
        return hand_over.read_value(result.outputs, self.storage.root)

    async def keep(self, records: list[LogRecord]) -> None:
        self.logs.extend(records)

    async def run(self, code: str, **parts: Any) -> BlockResult:
        return await self.server.run(self.call(code, **parts), self.keep)

    async def value(self, code: str, **parts: Any) -> Any:
        return self.read(await self.run(code, **parts))

    def start(self, code: str, **parts: Any) -> asyncio.Task[BlockResult]:
        return asyncio.create_task(self.run(code, **parts))

    @property
    def lines(self) -> list[str]:
        return [record.message for record in self.logs]


@pytest.fixture
def bench(server: ForkServer, tmp_path: Path) -> Bench:
    project = tmp_path / "project"
    project.mkdir()
    return Bench(server, Storage(tmp_path / "storage"), project)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.fixture
def alive() -> Callable[[int], bool]:
    return _alive


@pytest.fixture
def pids(bench: Bench) -> Callable[[int], Awaitable[list[int]]]:
    """Waits until blocks have written so many process ids to the file `pids` in the project."""

    async def read(count: int) -> list[int]:
        path = bench.project / "pids"
        async with asyncio.timeout(10):
            # Written by other processes: there is nothing to wait on but the file.
            while not path.exists() or path.read_text().count("\n") < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return [int(line) for line in path.read_text().split()]

    return read
