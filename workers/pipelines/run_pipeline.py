"""The kind `pipeline`: walks a run's graph, a block as soon as its upstream blocks are done."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.db import Tx
from app.core.files import Storage
from app.pipelines import reads
from app.pipelines.actions.blocks import note_executions
from app.pipelines.actions.triggers import retire_once
from app.pipelines.schedule import ONCE
from app.runs import fenced
from app.runs.fenced import NewStep
from app.runs.states import StepEnd
from app.settings import Work
from workers.execute import Outcome, Parked, RunContext, Stop
from workers.pipelines.calls import BlockResult, Output
from workers.pipelines.fork_server import ForkServer
from workers.pipelines.graph import CannotFanOut, Graph, Node
from workers.pipelines.layout import CannotLayOut, lay_out
from workers.pipelines.own_folder import OwnFolder
from workers.pipelines.run_block import BlockRunner, within

SAMPLE_ROWS = 100
SAMPLE_BYTES = 64 * 1024
STEP_BYTES = 1024 * 1024
READ_BYTES = 4 * 1024 * 1024
NO_SAMPLE: dict[str, Any] = {"columns": None, "rows": None, "shape": None, "text": None}
PARK_S = 3.0
"""A run in which nothing can go on for longer than this gives its worker up."""
LAST_WORDS_S = 10.0
"""How long callbacks may take when their run is cancelled."""


class PipelineKind:
    """Runs pipelines on this worker: one warm fork server and a bounded number of blocks at once."""

    def __init__(self, settings: Work, storage: Storage, block_env: Mapping[str, str]) -> None:
        self.settings = settings
        self.storage = storage
        self.block_env = dict(block_env)
        self.fork_server = ForkServer(grace_s=settings.kill_grace_s)
        self.slots = asyncio.Semaphore(settings.block_processes)
        self._folder: OwnFolder

    async def start(self) -> None:
        """Warm up, so that the first block need not wait for pandas."""
        self._folder = await asyncio.to_thread(OwnFolder)
        await self.fork_server.start()

    async def close(self) -> None:
        """End the fork server and whatever block still runs."""
        await self.fork_server.close()
        await asyncio.to_thread(self._folder.close)

    async def __call__(self, context: RunContext) -> Outcome | Parked:
        """Execute one pipeline run."""
        plan = await reads.run_plan(context.run_id)
        if plan is None:
            return Outcome("failed", reason="pipeline_gone", error="The pipeline was deleted.")
        own = self._folder.path
        with tempfile.TemporaryDirectory(dir=own, ignore_cleanup_errors=True) as work:
            try:
                surroundings = await lay_out(plan.pipeline["project_id"], Path(work))
            except CannotLayOut as error:
                return Outcome("failed", reason="project_files", error=str(error))
            runner = BlockRunner(
                context,
                plan,
                surroundings,
                self.fork_server,
                self.storage,
                self.settings,
                self.block_env,
            )
            return await _Walk(context, plan, runner, self.slots, Graph.of(plan)).run()


@dataclass
class _Walk:
    """One execution of one run."""

    context: RunContext
    plan: reads.RunPlan
    runner: BlockRunner
    slots: asyncio.Semaphore
    graph: Graph
    running: dict[asyncio.Task[None], Node] = field(default_factory=dict)
    first_error: str | None = None
    lost: bool = False
    began: float = field(default_factory=time.monotonic)

    async def run(self) -> Outcome | Parked:
        """Walk the graph to its end, or until nothing in it can go on for a while."""
        try:
            while not self._is_over():
                await self._end_blocked()
                pause_s = await self._begin()
                if self.running:
                    done, _ = await asyncio.wait(
                        self.running, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        del self.running[task]
                        task.result()
                elif pause_s is None:
                    break
                elif pause_s > PARK_S:
                    return Parked(self._until_timeout(pause_s))
                else:
                    await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            interrupted = list(self.running.values())
            await self._kill()
            await self._last_words(interrupted)
            raise
        finally:
            await self._kill()
        return await self._outcome()

    def _is_over(self) -> bool:
        if self.graph.having("failed") and not self.plan.allows_failures:
            return True
        return not self.running and not self.graph.having("pending", "queued")

    async def _end_blocked(self) -> None:
        """End what is behind a step that failed, where others may go on, or that was left out."""
        while blocked := self.graph.blocked():
            for node, status in blocked:
                await self._end(node, status)  # type: ignore[arg-type]

    async def _begin(self) -> float | None:
        """Begin what can begin; seconds until the next waiting step can, or None."""
        now = time.monotonic()
        free = self._block_run_limit() - len(self.running)
        pauses = []
        for node in self.graph.startable():
            if node.due > now:
                pauses.append(node.due - now)
            elif free > 0:
                free -= 1
                node.status = "running"
                self.running[asyncio.create_task(self._step(node))] = node
            elif node.status != "queued":
                await self.context.queue_step(node.name, "limit")
                node.status = "queued"
        return min(pauses, default=None)

    def _block_run_limit(self) -> int:
        limit = (self.plan.pipeline["concurrency_config"] or {}).get("block_run_limit")
        return limit if isinstance(limit, int) and limit > 0 else 2**31

    def _until_timeout(self, pause_s: float) -> float:
        """Not beyond the run's own timeout, at which a worker must look at it."""
        left_s = self.context.left_s
        if left_s is None:
            return pause_s
        return min(pause_s, max(0.0, left_s - (time.monotonic() - self.began)))

    async def _step(self, node: Node) -> None:
        if node.is_controller:
            await self.context.start_step(node.name)
            await self._end(node, "succeeded")
            return
        if self.slots.locked():
            await self.context.queue_step(node.name)
        async with self.slots:
            await self.context.start_step(node.name)
            node.begun = node.begun or time.monotonic()
            await self._attempt(node)

    async def _attempt(self, node: Node) -> None:
        block = self.plan.blocks.get(node.block)
        if block is None:
            gone = BlockResult(ok=False, error="The block was deleted.", reason="block_gone")
            await self._fail(node, gone)
            return
        inputs = self.graph.inputs(node)
        passes = await self.runner.passes(node, inputs)
        if passes is False:
            await self._end(node, "skipped")
            return
        result = passes if isinstance(passes, BlockResult) else None
        result = result or await self.runner.block(node, block, inputs)
        if result.ok and result.verdict is False:
            timed_out = await self._poll(node, block)
            if timed_out is None:
                return
            result = timed_out
        if not result.ok and await self._try_again(node, block, result):
            return
        await self.runner.call_back(node, "success" if result.ok else "failure", result)
        if result.ok:
            await self._succeed(node, block, result)
        else:
            await self._fail(node, result)

    async def _poll(self, node: Node, block: Any) -> BlockResult | None:
        """Have a sensor ask again later; its failure where it has asked for long enough."""
        delay_s = self.runner.polls_in(node, block)
        if delay_s is None:
            error = f"Block {node.name} timed out after {block['timeout_s']} seconds"
            await self.runner.log(node, error, "ERROR")
            return BlockResult(ok=False, error=error, reason="timeout")
        await self.runner.log(node, f"Sensor {node.name} asks again in {delay_s:g} seconds.")
        await self._wait(node, "poll", delay_s, node.tries)
        return None

    async def _try_again(self, node: Node, block: Any, result: BlockResult) -> bool:
        delay_s = self.runner.tried_again_in(node, block, result)
        if delay_s is None:
            return False
        of = f"attempt {node.tries + 1} of {self.runner.tries_of(block)}"
        text = (
            f"Block {node.name} failed on {of}: {result.error} It is tried again in {delay_s:g} s."
        )
        await self.runner.log(node, text, "WARNING")
        await self._wait(node, "retry", delay_s, node.tries + 1)
        return True

    async def _wait(self, node: Node, wait: Any, delay_s: float, tries: int) -> None:
        await self.context.wait_step(node.name, wait, delay_s, tries=tries)
        node.tries, node.due, node.status = tries, time.monotonic() + delay_s, "pending"

    async def _succeed(self, node: Node, block: Any, result: BlockResult) -> None:
        try:
            stored = await asyncio.to_thread(_described, result.outputs, self.runner.storage.root)
            copies, originals = self._fan_out(node, result)
        except (OSError, CannotFanOut) as error:
            lost = isinstance(error, OSError)
            text = "The block's stored output is gone." if lost else str(error)
            await self._fail(
                node,
                BlockResult(ok=False, error=text, reason="output_lost" if lost else "unsupported"),
            )
            return
        ids: dict[str, int] = {}

        async def with_copies(tx: Tx) -> None:
            run_id, fence = self.context.run_id, self.context.fence
            ids.update(await fenced.fan_out(tx, run_id, fence, copies, originals))

        also = with_copies if originals else None
        await self._end(node, "succeeded", result, stored, also)
        self.graph.apply(copies, originals, ids)

    def _fan_out(self, node: Node, result: BlockResult) -> tuple[list[NewStep], list[NewStep]]:
        if result.items is None:
            return [], []

        def configured(name: str) -> Callable[[str], bool]:
            # A block that was deleted since fails by itself when its step's turn comes.
            settings = {b["uuid"]: b["configuration"] or {} for b in self.plan.blocks.values()}
            return lambda uuid: bool(settings.get(uuid, {}).get(name))

        return self.graph.fan_out(
            node.name,
            result.items,
            is_dynamic=configured("dynamic"),
            reduces=configured("reduce_output"),
        )

    async def _fail(self, node: Node, result: BlockResult) -> None:
        self.lost = self.lost or result.reason == "worker_lost"
        self.first_error = self.first_error or f"Block {node.name} failed: {result.error}"
        await self._end(node, "failed", result)

    async def _end(
        self,
        node: Node,
        status: StepEnd,
        result: BlockResult | None = None,
        stored: Sequence[dict[str, Any]] = (),
        also: Callable[[Tx], Awaitable[None]] | None = None,
    ) -> None:
        failure = result if status == "failed" else None
        await self.context.finish_step(
            node.name,
            status,
            outputs=stored,
            metrics=vars(result.metrics) if result else None,
            reason=(failure.reason or "error") if failure else None,
            error=failure.error if failure else None,
            traceback=failure.traceback if failure else None,
            also=also,
        )
        node.status = status
        node.outputs = result.outputs if result is not None and status == "succeeded" else ()

    async def _kill(self) -> None:
        """End what still runs; a cancellation that comes meanwhile takes its grace away."""
        for task in self.running:
            task.cancel()
        if self.running and self.context.kill_grace_s == 0:
            for task in self.running:
                task.cancel()
        while pending := [task for task in self.running if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError:
                for task in pending:
                    task.cancel()
        self.running.clear()

    async def _last_words(self, interrupted: Sequence[Node]) -> None:
        """Callbacks of blocks that were at work when somebody cancelled the run."""
        if self.context.stopping is not Stop.CANCELLED:
            return
        calls = [self.runner.call_back(node, "cancelled", None) for node in interrupted]

        async def all_of_them() -> None:
            await asyncio.gather(*calls, return_exceptions=True)

        await within(LAST_WORDS_S, asyncio.create_task(all_of_them()))

    async def _outcome(self) -> Outcome:
        succeeded = self._block_ids("succeeded")
        failed = self._block_ids("failed")
        await self.context.write(lambda tx: note_executions(tx, succeeded, failed))
        if self.lost:
            # The fork server died under the block: nothing that the block's code can be blamed for.
            return Outcome("failed", reason="worker_lost", error=self.first_error, retry=True)
        if failed or self.graph.having("failed"):
            return Outcome("failed", reason="error", error=self.first_error or self._known_error())
        trigger = self.plan.trigger
        if trigger is not None and trigger["interval"] == ONCE:
            await self.context.write(lambda tx: retire_once(tx, trigger["id"]))
        return Outcome("succeeded")

    def _block_ids(self, status: str) -> list[int]:
        names = {node.block for node in self.graph.having(status)}
        return [self.plan.blocks[name]["id"] for name in names if name in self.plan.blocks]

    def _known_error(self) -> str | None:
        """What an earlier worker wrote of a step that failed."""
        found = (step for step in self.plan.steps if step["status"] == "failed")
        step = next(found, None)
        return None if step is None else f"Block {step['name']} failed: {step['error']}"


def _described(outputs: Sequence[Output], root: Path) -> list[dict[str, Any]]:
    """Outputs as the ledger keeps them: where each is, and a sample that fits into a row."""
    described = []
    room = STEP_BYTES
    for output in outputs:
        shown = _sample(output, root) if room > 0 else NO_SAMPLE
        room -= len(str(shown))
        described.append({**vars(output), "sample": shown})
    return described


def _sample(output: Output, root: Path) -> dict[str, Any]:
    # It brings pandas, which is as long to import as all the rest of a worker.
    from workers.pipelines.hand_over import sample

    if output.kind != "table" and output.bytes > READ_BYTES:
        # The worker would have to hold the whole value to show its beginning.
        return {**NO_SAMPLE, "text": f"{output.bytes} bytes, too many to show"}
    rows = SAMPLE_ROWS
    shown = sample(output, root, rows)
    while rows and len(str(shown)) > SAMPLE_BYTES:
        rows //= 4
        shown = sample(output, root, rows)
    return shown
