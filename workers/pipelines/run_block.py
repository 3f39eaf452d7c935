"""One step of a pipeline run: its conditions, its block, its callbacks, each in a process."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from app.core.files import Storage
from app.pipelines.reads import RunPlan
from app.pipelines.schedule import next_slot
from app.runs.fenced import LogLine
from app.settings import Work
from workers.execute import RunContext
from workers.pipelines.calls import BlockCall, BlockResult, Input, LogRecord, Upstream
from workers.pipelines.fork_server import ForkServer
from workers.pipelines.graph import Node
from workers.pipelines.layout import Surroundings

POLL_S = 60.0
SHORTEST_POLL_S = 1.0
RETRY = {"retries": 0, "delay": 5, "max_delay": 60, "exponential_backoff": True}
"""What a retry_config leaves unsaid: further tries, seconds before the first, and at most."""
LONGEST_S = 30 * 86400.0
"""No step waits longer than this for its next poll or try, whatever was written."""
NO_RETRY = ("unsupported", "worker_lost", "block_gone", "timeout")


@dataclass
class BlockRunner:
    """Runs the blocks of one run on this worker."""

    context: RunContext
    plan: RunPlan
    surroundings: Surroundings
    fork_server: ForkServer
    storage: Storage
    settings: Work
    block_env: Mapping[str, str]

    async def passes(self, node: Node, inputs: tuple[Input, ...]) -> BlockResult | bool:
        """Whether all conditions of a step's block hold; the result of one that broke."""
        for gate in self.plan.attached("conditional", node.block):
            result = await self._run(gate, node, inputs, {"parent_block_uuid": node.block})
            if not result.ok:
                return result
            if not result.verdict:
                text = f"Conditional block {gate['uuid']} evaluated as False for block {node.name}"
                await self.log(node, text)
                return False
        return True

    async def block(self, node: Node, block: RowMapping, inputs: tuple[Input, ...]) -> BlockResult:
        """Run a step's own block."""
        result = await self._run(block, node, inputs, {})
        if not result.ok:
            await self._log_failure(node, block, result)
        return result

    async def call_back(self, node: Node, event: str, result: BlockResult | None) -> None:
        """Call a block's callbacks for `success`, `failure` or `cancelled`. What they do wrong is
        logged and changes nothing."""
        own: dict[str, Any] = {"parent_block_uuid": node.block, "pipeline_run": self._run_facts()}
        ended_well = result is not None and result.ok
        given = (Input((result.outputs,)),) if result is not None and ended_well else ()
        if result is not None and not ended_well:
            own["__error"] = result.error
        for callback in self.plan.attached("callback", node.block):
            told = await self._run(callback, node, given, own, event)
            if not told.ok:
                text = told.traceback or told.error
                await self.log(node, f"Callback {callback['uuid']} failed: {text}", "ERROR")

    async def log(self, node: Node, text: str, level: str = "INFO") -> None:
        """Write one line of a step's log."""
        await self.context.log([LogLine(text, level, node.name, node.step_id)])

    def polls_in(self, node: Node, block: RowMapping) -> float | None:
        """Seconds until a sensor asks again; None where its timeout has passed."""
        configured = (block["configuration"] or {}).get("poll_interval")
        usable = isinstance(configured, int | float) and configured > 0
        delay_s = float(configured) if usable else POLL_S  # type: ignore[arg-type]
        delay_s = max(SHORTEST_POLL_S, min(delay_s, LONGEST_S))
        if block["timeout_s"] is None or node.begun is None:
            return delay_s
        left_s = node.begun + float(block["timeout_s"]) - time.monotonic()
        return None if left_s <= 0 else min(delay_s, left_s)

    def tried_again_in(self, node: Node, block: RowMapping, result: BlockResult) -> float | None:
        """Seconds until a failed block is tried again; None where it has failed for good."""
        rule = self._retry_rule(block)
        if result.reason in NO_RETRY or node.tries >= rule["retries"]:
            return None
        # So often doubled, any delay is beyond the longest.
        growth = 2 ** min(node.tries, 64) if rule["exponential_backoff"] else 1
        return float(min(rule["delay"] * growth, rule["max_delay"], LONGEST_S))

    def tries_of(self, block: RowMapping) -> int:
        """How often a block is begun at most before it has failed."""
        return int(self._retry_rule(block)["retries"]) + 1

    def _retry_rule(self, block: RowMapping) -> dict[str, Any]:
        """A block's retry_config over its pipeline's; what is no number counts as not said."""
        rule: dict[str, Any] = dict(RETRY)
        for given in (self.plan.pipeline["retry_config"], block["retry_config"]):
            for name, value in (given or {}).items():
                if name in rule and isinstance(value, int | float) and value >= 0:
                    rule[name] = value
        return rule

    async def _log_failure(self, node: Node, block: RowMapping, result: BlockResult) -> None:
        text = result.traceback or result.error or ""
        if result.reason == "timeout":
            text = f"Block {node.name} timed out after {block['timeout_s']} seconds"
        await self.log(node, text, "EXCEPTION" if result.traceback else "ERROR")

    async def _run(
        self,
        block: RowMapping,
        node: Node,
        inputs: tuple[Input, ...],
        own: Mapping[str, Any],
        event: str | None = None,
    ) -> BlockResult:
        async def on_log(records: list[LogRecord]) -> None:
            lines = [LogLine(r.message, r.level, node.name, node.step_id, r.at) for r in records]
            await self.context.log(lines)

        call = self._call(block, node, inputs, {**self._kwargs(node), **own}, event)
        return await self.fork_server.run(call, on_log)

    def _call(
        self,
        block: RowMapping,
        node: Node,
        inputs: tuple[Input, ...],
        kwargs: Mapping[str, Any],
        event: str | None,
    ) -> BlockCall:
        run_id = str(self.context.run_id)
        return BlockCall(
            run_id=run_id,
            step_id=node.step_id,
            block_uuid=block["uuid"],
            block_type=block["type"],
            language=block["language"],
            content=block["content"],
            storage=self.storage.root,
            output_dir=self.storage.step_folder(run_id, node.step_id, self.context.fence),
            work_dir=self.surroundings.repo_path,
            inputs=inputs,
            upstream=() if event else tuple(map(self._upstream, node.upstream)),
            event=event,
            kwargs=kwargs,
            execution_date=self.plan.facet["execution_date"],
            configuration=block["configuration"] or {},
            env=self.block_env,
            secrets=self.surroundings.secrets,
            warehouse_url=self.settings.warehouse_url or None,
            database_dir=self.storage.root / "databases" / str(self.plan.pipeline["project_id"]),
            timeout_s=block["timeout_s"],
            memory_bytes=self.settings.block_memory_bytes,
        )

    def _upstream(self, step: str) -> Upstream:
        uuid = step.partition(":")[0]
        block = self.plan.blocks.get(uuid)
        if block is None:
            return Upstream(uuid)
        return Upstream(uuid, block["language"], block["configuration"] or {})

    def _run_facts(self) -> dict[str, Any]:
        facet = self.plan.facet
        names = ("pipeline_uuid", "execution_date", "variables", "event_variables")
        facts = {name: facet[name] for name in names}
        return {**facts, "id": facet["number"], "status": "running"}

    def _kwargs(self, node: Node) -> dict[str, Any]:
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
        item = {} if node.item is None else {"dynamic_block_index": node.item}
        return {
            "env": "prod",
            **merged,
            **_interval(trigger, date),
            **item,
            "execution_partition": partition,
            "event": events,
            "context": {},
            "retry": {"attempts": node.tries + 1},
            "pipeline_uuid": facet["pipeline_uuid"],
            "pipeline_run_id": facet["number"],
            "trigger_name": facet["trigger_name"],
            "repo_path": str(self.surroundings.repo_path),
            "run_id": str(self.context.run_id),
            "attempt": self.context.attempt,
        }


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


async def within(seconds: float, work: asyncio.Task[None]) -> None:
    """Wait so long for a task, then cancel it; usable in a task that was cancelled itself."""
    try:
        await asyncio.wait({work}, timeout=seconds)
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
