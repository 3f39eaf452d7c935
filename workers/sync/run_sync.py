"""The run kinds of syncs: `sync` and `clear` of a job, `check` and `discover` of settings."""

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from app.core.db import Tx
from app.core.outgoing import NotAllowed, NotFound, Outgoing
from app.ingestion.actions.work import (
    Gone,
    ProbeTask,
    Settings,
    Task,
    note_cleared,
    note_moved,
    open_probe,
    open_task,
    save_progress,
    save_stream_states,
)
from app.runs.fenced import LogLine
from app.runs.tables import run_steps
from workers.execute import Outcome, RunContext
from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.targets import warehouse_target
from workers.sync.child_process import ChildProcess

log = structlog.get_logger()

PROBES = 8
LOOKS, LOOK_S = 4, 15.0
FLUSH_S = 1.0
_SECRET_WORDS = ("password", "secret", "token", "passphrase", "private", "credential", "_key")


@dataclass(frozen=True)
class SyncLimits:
    """What one worker gives to syncs."""

    memory_mb: int
    """Of DuckDB in one sync; the process takes some 60 to 100 MB more."""
    threads: int
    side_by_side: int


@dataclass(frozen=True)
class SyncPlaces:
    """Where syncs may read and write files, and where they spill."""

    data_root: Path
    scratch: Path


class SyncKind:
    """Runs syncs and probes, each in a child process."""

    def __init__(
        self,
        places: SyncPlaces,
        outgoing: Outgoing,
        warehouse_url: str,
        environ: Mapping[str, str],
        limits: SyncLimits,
    ) -> None:
        self._places = places
        self._outgoing = outgoing
        self._warehouse_url = warehouse_url
        self._environ = environ
        self._limits = limits
        self._syncs = asyncio.Semaphore(limits.side_by_side)
        self._probes = asyncio.Semaphore(PROBES)
        self._looks = asyncio.Semaphore(LOOKS)

    async def sync(self, context: RunContext) -> Outcome:
        """Kind `sync` or `clear`: move a job's streams, or remove what was moved."""
        try:
            task = await context.write(lambda tx: open_task(tx, context.run_id))
            done = await context.write(lambda tx: _done(tx, context))
            document = self._task_document(context, task, done)
        except Gone:
            return Outcome("failed", error="The job, its source or its destination was deleted.")
        except SqlFault as error:
            return Outcome("failed", error=str(error))
        if not document["streams"]:
            return Outcome("succeeded")
        async with self._syncs:
            relay = _Relay(context, document)
            outcome = await self._follow(context, document, relay)
            if outcome.status == "succeeded":
                await relay.moved()
            return outcome

    async def probe(self, context: RunContext) -> Outcome:
        """Kind `check` or `discover`: its answer is the run's result."""
        try:
            probe = await context.write(lambda tx: open_probe(tx, context.run_id))
            document = self._probe_document(context, probe)
        except Gone:
            return Outcome("failed", error="The settings to try were forgotten.")
        except SqlFault as error:
            return Outcome("failed", error=str(error))
        async with self._probes:
            return await self._follow(context, document, _Relay(context, document))

    async def look(self, source: Settings, *, drop: bool) -> dict[str, Any]:
        """Look at the slot of a source, or drop it: {"result": ...} or {"error": {message, retry}}."""
        told: dict[str, Any] = {}
        document: dict[str, Any] = {}
        try:
            document = {**self._shared(), "do": "slot", "drop": drop, "source": self._end(source)}
            async with self._looks, asyncio.timeout(LOOK_S):
                child = await ChildProcess.start(document, self._environ)
                try:
                    async for line in child.lines():
                        if "address" in line:
                            await child.send(await self._address(**line["address"]))
                        told = line if "result" in line or "error" in line else told
                finally:
                    await child.end(0)
        except SqlFault as error:
            told = {"error": {"message": str(error), "retry": False}}
        except TimeoutError:
            told = {}
        if "error" in told:
            told["error"]["message"] = _without(_secrets(document), told["error"]["message"])
        return told or {"error": {"message": "The server did not answer in time.", "retry": True}}

    async def _follow(
        self, context: RunContext, document: dict[str, Any], relay: "_Relay"
    ) -> Outcome:
        child = await ChildProcess.start(document, self._environ)
        try:
            async for line in child.lines():
                if "address" in line:
                    await child.send(await self._address(**line["address"]))
                else:
                    await relay.take(line)
            await relay.flush()
            return await self._outcome(child, relay)
        finally:
            await child.end(context.kill_grace_s if context.stopping else 0)

    async def _outcome(self, child: ChildProcess, relay: "_Relay") -> Outcome:
        status, said = await child.status()
        if said:
            log.warning("sync.said", run_id=str(relay.context.run_id), text=relay.clean(said))
        if relay.result is not None and status == 0:
            return Outcome("succeeded", result=relay.result)
        if relay.error is not None:
            error = relay.error
            return Outcome("failed", reason="error", error=error["message"], retry=error["retry"])
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        text = f"The process of the sync ended before it was done ({name})."
        if status == -signal.SIGKILL:
            text += " The machine may have run out of memory."
        return Outcome("failed", reason="killed", error=text, retry=True)

    async def _address(self, host: str, port: int) -> dict[str, Any]:
        try:
            found = await self._outgoing.addresses(host, port)
            # One is tried, and many machines have no way to IPv6.
            return {"address": min(found, key=lambda address: ":" in address)}
        except NotAllowed as error:
            return {"refused": str(error)}
        except NotFound as error:
            return {"refused": str(error), "retry": True}

    def _task_document(self, context: RunContext, task: Task, done: set[str]) -> dict[str, Any]:
        streams = [s for s in task.streams if f"{s['namespace']}.{s['name']}" not in done]
        return {
            **self._document(context, task.job_type),
            "job": {"id": task.job_id, "name": task.job_name, "prefix": task.job_name},
            "source": self._end(task.source),
            "destination": self._end(task.destination),
            "streams": [{"stream": s["stream"], "selected": s["metadata"]} for s in streams],
            "state": task.state,
        }

    def _probe_document(self, context: RunContext, probe: ProbeTask) -> dict[str, Any]:
        prefix = str(probe.more.get("prefix") or probe.settings.type)
        return {
            **self._document(context, context.run["kind"]),
            "job": {"id": "", "name": prefix, "prefix": prefix},
            probe.end: self._end(probe.settings),
        }

    def _document(self, context: RunContext, what: str) -> dict[str, Any]:
        # Claims of a job's runs follow one another, also where an old run is tried again.
        claimed = int(context.run["updated_at"].timestamp() * 1_000_000)
        run = {
            "id": str(context.run_id),
            "number": claimed,
            "fence": context.fence,
            "attempt": context.attempt,
        }
        return {"do": what, "run": run, **self._shared()}

    def _shared(self) -> dict[str, Any]:
        return {
            "data_root": str(self._places.data_root),
            "scratch": str(self._places.scratch),
            "limits": {"memory_mb": self._limits.memory_mb, "threads": self._limits.threads},
        }

    def _end(self, settings: Settings) -> dict[str, Any]:
        """One end, with the warehouse's address in place of the word; only we may give it."""
        return {"type": settings.type, "config": self._with_warehouse(settings.config)}

    def _with_warehouse(self, config: dict[str, Any]) -> dict[str, Any]:
        writer = config.get("writer")
        if isinstance(writer, dict):
            return {**config, "writer": self._with_warehouse(writer)}
        given = {name: value for name, value in config.items() if name != "warehouse"}
        if config.get("warehouse") is True:
            target = warehouse_target(self._warehouse_url)
            given["warehouse"] = {
                "host": target.host,
                "port": target.port,
                "database": target.database,
                "username": target.user,
                "password": target.password,
            }
        return given


class _Relay:
    """What the child says, written about the run; figures at most once a second."""

    def __init__(self, context: RunContext, document: Mapping[str, Any]) -> None:
        self.context = context
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self._clears = document["do"] == "clear"
        self._secrets = _secrets(document)
        self._figures: dict[str, dict[str, Any]] = {}
        self._changed: set[str] = set()
        self._states: dict[str, dict[str, Any]] = {}
        self._began = self._flushed = time.monotonic()

    async def take(self, line: dict[str, Any]) -> None:
        """One line."""
        if "log" in line:
            await self._log(line["log"])
        elif "stream" in line:
            await self._stream(line)
        elif "state" in line:
            self._states.update({n: s for n, s in line["state"].items() if s is not None})
        elif "result" in line:
            self.result = line["result"]
        elif "error" in line:
            error = line["error"]
            self.error = {"message": self.clean(error["message"]), "retry": error["retry"]}
        if time.monotonic() - self._flushed > FLUSH_S:
            await self.flush()

    async def flush(self) -> None:
        """Write figures and states that are not written yet."""
        self._flushed = time.monotonic()
        run_id, fence = self.context.run_id, self.context.fence
        if self._changed:
            rows = sum(figures["rows"] for figures in self._figures.values())
            size = sum(figures["bytes"] for figures in self._figures.values())
            took_s = max(self._flushed - self._began, 0.001)
            told = {name: self._figures[name] for name in self._changed}
            await self.context.write(
                lambda tx: save_progress(
                    tx,
                    run_id,
                    fence,
                    rows=rows,
                    bytes=size,
                    rows_per_s=rows / took_s,
                    streams=told,
                )
            )
            self._changed.clear()
        if self._states:
            states = dict(self._states)
            await self.context.write(lambda tx: save_stream_states(tx, run_id, fence, states))
            self._states.clear()

    async def moved(self) -> None:
        """At the end of all: what the streams count, or that they are cleared."""
        run_id, fence = self.context.run_id, self.context.fence
        figures = self._figures
        if self._clears:
            await self.context.write(lambda tx: note_cleared(tx, run_id, fence, list(figures)))
            return
        moved = {name: (told["rows"], told["bytes"]) for name, told in figures.items()}
        await self.context.write(lambda tx: note_moved(tx, run_id, fence, moved))

    def clean(self, text: str) -> str:
        """A text without any secret of the settings."""
        return _without(self._secrets, text)

    async def _log(self, told: Mapping[str, Any]) -> None:
        level = str(told.get("level", "info")).upper()
        await self.context.log(
            [LogLine(self.clean(str(told["message"])), level, told.get("stream"))]
        )

    async def _stream(self, line: Mapping[str, Any]) -> None:
        name, status = line["stream"], line["status"]
        fresh = name not in self._figures
        rows, size = line.get("rows", 0), line.get("bytes", 0)
        read = {"percent": line["percent"]} if "percent" in line else {}
        self._figures[name] = {"status": status, "rows": rows, "bytes": size, **read}
        self._changed.add(name)
        if fresh:
            await self.context.start_step(name)
        if status == "running":
            return
        await self.flush()
        metrics = {"rows": rows, "bytes": size, "rows_per_s": line.get("rows_per_s", 0)}
        error = None if line.get("error") is None else self.clean(line["error"])
        reason = "error" if status == "failed" else None
        await self.context.finish_step(name, status, metrics=metrics, error=error, reason=reason)


async def _done(tx: Tx, context: RunContext) -> set[str]:
    """Streams that an earlier attempt of this run has finished."""
    c = run_steps.c
    ended = select(c.name).where(c.run_id == context.run_id, c.status == "succeeded")
    return {row["name"] for row in await tx.all(ended)}


def _without(secrets: set[str], text: str) -> str:
    """A text with stars in place of secrets, the longest first: one may be in another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(value: Any, name: str = "") -> set[str]:
    """Texts of settings whose name says that they are secret."""
    if isinstance(value, Mapping):
        return set().union(*(_secrets(item, str(key)) for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(_secrets(item, name) for item in value))
    hidden = any(word in name.lower() for word in _SECRET_WORDS)
    return {value} if hidden and isinstance(value, str) and len(value) > 3 else set()
