"""The kind `pipeline`: walks a pipeline's graph, a block as soon as its upstream blocks are done."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping

from app.core.files import Storage
from app.pipelines import reads
from app.pipelines.actions.blocks import note_executions
from app.pipelines.actions.triggers import retire_once
from app.pipelines.schedule import ONCE, next_slot
from app.runs.fenced import LogLine
from app.settings import Work
from workers.execute import Outcome, RunContext
from workers.pipelines.calls import BlockCall, BlockResult, LogRecord, Output
from workers.pipelines.fork_server import ForkServer
from workers.pipelines.hand_over import sample
from workers.pipelines.layout import CannotLayOut, Surroundings, lay_out

SAMPLE_ROWS = 100
SAMPLE_BYTES = 64 * 1024
STEP_BYTES = 1024 * 1024
READ_BYTES = 4 * 1024 * 1024
NO_SAMPLE: dict[str, Any] = {"columns": None, "rows": None, "shape": None, "text": None}


class PipelineKind:
    """Runs pipelines on this worker: one warm fork server and a bounded number of blocks at once."""

    def __init__(self, settings: Work, storage: Storage, block_env: Mapping[str, str]) -> None:
        self.settings = settings
        self.storage = storage
        self.block_env = dict(block_env)
        self.fork_server = ForkServer(grace_s=settings.kill_grace_s)
        self.slots = asyncio.Semaphore(settings.block_processes)

    async def start(self) -> None:
        """Warm up, so that the first block need not wait for pandas."""
        await self.fork_server.start()

    async def close(self) -> None:
        """End the fork server and whatever block still runs."""
        await self.fork_server.close()

    async def __call__(self, context: RunContext) -> Outcome:
        """Execute one pipeline run."""
        plan = await reads.run_plan(context.run_id)
        if plan is None:
            return Outcome("failed", reason="pipeline_gone", error="The pipeline was deleted.")
        with tempfile.TemporaryDirectory(prefix="isthmus-run-", ignore_cleanup_errors=True) as work:
            try:
                surroundings = await lay_out(plan.pipeline["project_id"], Path(work))
            except CannotLayOut as error:
                return Outcome("failed", reason="project_files", error=str(error))
            walk = _Walk(self, context, plan, surroundings)
            return await walk.run()


@dataclass
class _Walk:
    """One execution of one run: which blocks are done, running, and still to do."""

    host: PipelineKind
    context: RunContext
    plan: reads.RunPlan
    surroundings: Surroundings
    outputs: dict[str, tuple[Output, ...]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    first_error: str | None = None
    lost: bool = False

    async def run(self) -> Outcome:
        """Walk the graph to its end."""
        todo = self._resume()
        running: dict[asyncio.Task[BlockResult], str] = {}
        try:
            while todo or running:
                for name in self._ready(todo):
                    todo.discard(name)
                    running[asyncio.create_task(self._run_block(name))] = name
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._note(running.pop(task), task.result())
                if self.failed and not self.plan.allows_failures:
                    break
                await self._block_downstream(todo)
        finally:
            await self._end(list(running))
        return await self._outcome()

    def _resume(self) -> set[str]:
        """Blocks still to do; what succeeded before a takeover or a retry is not run again."""
        todo: set[str] = set()
        for step in self.plan.steps:
            if step["status"] == "succeeded":
                self.outputs[step["name"]] = tuple(map(_output, step["outputs"]))
            elif step["status"] in ("pending", "queued", "running"):
                todo.add(step["name"])
        return todo

    def _ready(self, todo: set[str]) -> list[str]:
        order = [step["name"] for step in self.plan.steps if step["name"] in todo]
        return [n for n in order if all(u in self.outputs for u in self.plan.upstream(n))]

    def _note(self, name: str, result: BlockResult) -> None:
        if result.ok:
            self.outputs[name] = result.outputs
            return
        self.failed.add(name)
        self.lost = self.lost or result.reason == "worker_lost"
        self.first_error = self.first_error or f"Block {name} failed: {result.error}"

    async def _block_downstream(self, todo: set[str]) -> None:
        """Where blocks may fail, those behind a failed one end as upstream_failed."""
        lost = True
        while lost:
            gone = self.failed | self.blocked
            lost = False
            for name in [n for n in todo if gone & set(self.plan.upstream(n))]:
                todo.discard(name)
                self.blocked.add(name)
                lost = True
                await self.context.finish_step(name, "upstream_failed")

    async def _run_block(self, name: str) -> BlockResult:
        block = self.plan.blocks.get(name)
        gate = self.plan.condition_of(name)
        if block is None or gate is not None:
            await self.context.start_step(name)
            return await self._finish(name, _refusal(name, gate))
        if self.host.slots.locked():
            await self.context.queue_step(name)
        async with self.host.slots:
            await self.context.start_step(name)
            step_id = self.plan.step_ids[name]
            call = self._call(block, step_id)

            async def on_log(records: list[LogRecord]) -> None:
                lines = [LogLine(r.message, r.level, name, step_id, r.at) for r in records]
                await self.context.log(lines)

            result = await self.host.fork_server.run(call, on_log)
        if not result.ok:
            await self._log_failure(name, step_id, block, result)
        return await self._finish(name, result)

    async def _log_failure(
        self, name: str, step_id: int, block: RowMapping, result: BlockResult
    ) -> None:
        text = result.traceback or result.error or ""
        if result.reason == "timeout":
            text = f"Block {name} timed out after {block['timeout_s']} seconds"
        level = "EXCEPTION" if result.traceback else "ERROR"
        await self.context.log([LogLine(text, level, name, step_id)])

    async def _finish(self, name: str, result: BlockResult) -> BlockResult:
        stored = []
        if result.ok:
            try:
                stored = await asyncio.to_thread(_described, result.outputs, self.host.storage.root)
            except OSError:
                result = BlockResult(
                    ok=False, error="The block's stored output is gone.", reason="output_lost"
                )
        await self.context.finish_step(
            name,
            "succeeded" if result.ok else "failed",
            outputs=stored,
            metrics=vars(result.metrics),
            reason=None if result.ok else result.reason or "error",
            error=result.error,
            traceback=result.traceback,
        )
        return result

    def _call(self, block: RowMapping, step_id: int) -> BlockCall:
        storage = self.host.storage
        run_id = str(self.context.run_id)
        return BlockCall(
            run_id=run_id,
            step_id=step_id,
            block_uuid=block["uuid"],
            block_type=block["type"],
            language=block["language"],
            content=block["content"],
            storage=storage.root,
            output_dir=storage.step_folder(run_id, step_id, self.context.fence),
            work_dir=self.surroundings.repo_path,
            inputs=tuple(self.outputs[u] for u in self.plan.upstream(block["uuid"])),
            kwargs=self._kwargs(),
            execution_date=self.plan.facet["execution_date"],
            configuration=block["configuration"] or {},
            env=self.host.block_env,
            secrets=self.surroundings.secrets,
            warehouse_url=self.host.settings.warehouse_url or None,
            timeout_s=block["timeout_s"],
            memory_bytes=self.host.settings.block_memory_bytes,
        )

    def _kwargs(self) -> dict[str, Any]:
        """Variables by rank (pipeline, trigger, run; events fill gaps), then the built-ins."""
        facet, trigger = self.plan.facet, self.plan.trigger
        events = facet["event_variables"] or {}
        merged: dict[str, Any] = {
            **events,
            **(self.plan.pipeline["variables"] or {}),
            **((trigger["variables"] if trigger else None) or {}),
            **(facet["variables"] or {}),
        }
        date: datetime = facet["execution_date"]
        partition = merged.get("execution_partition") or (
            f"{facet['trigger_id']}/{date.strftime('%Y%m%dT%H%M%S')}"
        )
        return {
            "env": "prod",
            **merged,
            **_interval(trigger, date),
            "execution_partition": partition,
            "event": events,
            "context": {},
            "retry": {"attempts": 1},
            "pipeline_uuid": facet["pipeline_uuid"],
            "pipeline_run_id": facet["number"],
            "trigger_name": facet["trigger_name"],
            "repo_path": str(self.surroundings.repo_path),
            "run_id": str(self.context.run_id),
            "attempt": self.context.attempt,
        }

    async def _end(self, running: Sequence[asyncio.Task[BlockResult]]) -> None:
        """Kill what still runs; a cancellation that comes meanwhile takes its grace away."""
        for task in running:
            task.cancel()
        if running and self.context.kill_grace_s == 0:
            for task in running:
                task.cancel()
        while pending := [task for task in running if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError:
                for task in pending:
                    task.cancel()

    async def _outcome(self) -> Outcome:
        succeeded = [self.plan.blocks[n]["id"] for n in self.outputs if n in self.plan.blocks]
        failed = [self.plan.blocks[n]["id"] for n in self.failed if n in self.plan.blocks]
        await self.context.write(lambda tx: note_executions(tx, succeeded, failed))
        if self.lost:
            # The fork server died under the block: nothing that the block's code can be blamed for.
            return Outcome("failed", reason="worker_lost", error=self.first_error, retry=True)
        if self.failed:
            return Outcome("failed", reason="error", error=self.first_error)
        trigger = self.plan.trigger
        if trigger is not None and trigger["interval"] == ONCE:
            await self.context.write(lambda tx: retire_once(tx, trigger["id"]))
        return Outcome("succeeded")


def _interval(trigger: RowMapping | None, date: datetime) -> dict[str, Any]:
    """For time triggers: the slot that the run is about."""
    if trigger is None or trigger["type"] != "time" or not trigger["interval"]:
        return {}
    end = next_slot(trigger["interval"], trigger["timezone"], date)
    seconds = (end - date).total_seconds() if end else None
    return {
        "interval_start_datetime": date,
        "interval_end_datetime": end,
        "interval_seconds": seconds,
        "interval_start_datetime_previous": date - (end - date) if end else None,
    }


def _output(stored: Mapping[str, Any]) -> Output:
    return Output(**{name: stored[name] for name in Output.__dataclass_fields__})


def _refusal(name: str, gate: str | None) -> BlockResult:
    if gate is None:
        return BlockResult(ok=False, error="The block was deleted.", reason="block_gone")
    text = f"Block {name} waits on condition {gate}, and conditions are not evaluated yet."
    return BlockResult(ok=False, error=text, reason="unsupported")


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
    if output.kind != "table" and output.bytes > READ_BYTES:
        # The worker would have to hold the whole value to show its beginning.
        return {**NO_SAMPLE, "text": f"{output.bytes} bytes, too many to show"}
    rows = SAMPLE_ROWS
    shown = sample(output, root, rows)
    while rows and len(str(shown)) > SAMPLE_BYTES:
        rows //= 4
        shown = sample(output, root, rows)
    return shown
