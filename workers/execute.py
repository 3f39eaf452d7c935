"""Holds one run from its claim to its end: does its kind's work, beats, stops it when it must."""

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import Tx, is_transient, transaction
from app.core.rules import SYSTEM
from app.runs import fenced
from app.runs.claim import Claim, beat
from app.runs.fenced import LeaseLost, LogLine
from app.runs.states import RunEnd, StepEnd, StepWait
from app.settings import Work

log = structlog.get_logger()
T = TypeVar("T")

RETRY_BASE_S = 2.0
RETRY_LONGEST_S = 300.0
_LOG_SAYS = "the worker's log says more."


_left: set[asyncio.Future[Any]] = set()


async def or_leave(work: Coroutine[Any, Any, T]) -> T:
    """Await work on the database, but let no cancellation wait until a hung server lets it go."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        _left.add(task)
        task.add_done_callback(_forget)
        raise


def _forget(task: asyncio.Future[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not complain


class Stop(StrEnum):
    """Why a run's work is cancelled."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    DRAIN = "drain"
    LEASE_LOST = "lease_lost"


@dataclass(frozen=True)
class Outcome:
    """How a kind's work has ended; a failed one with `retry` is tried again while attempts last."""

    status: RunEnd
    result: dict[str, Any] | None = None
    reason: str | None = None
    error: str | None = None
    retry: bool = False


@dataclass(frozen=True)
class Parked:
    """What a kind returns when nothing in its run can go on for `delay_s` seconds."""

    delay_s: float


class RunContext:
    """What a kind gets: the run, and the ways to write about it.

    The work is cancelled as an asyncio task, with the reason in `stopping`. It must end its
    processes, within `kill_grace_s`, before it lets CancelledError pass. A second cancellation
    means: at once.
    """

    def __init__(self, claim: Claim, settings: Work) -> None:
        self.run = claim.run
        self.run_id: UUID = claim.run_id
        self.fence = claim.fence
        self.attempt: int = claim.run["attempt"]
        self.settings = settings
        self.stopping: Stop | None = None
        self._last_log_seq = claim.last_log_seq
        self._log_order = asyncio.Lock()

    @property
    def left_s(self) -> float | None:
        """Seconds that the run's timeout left it at its claim: it counts from the first beginning."""
        if self.run["timeout_s"] is None:
            return None
        gone: timedelta = self.run["updated_at"] - self.run["started_at"]
        return max(0.0, float(self.run["timeout_s"]) - gone.total_seconds())

    @property
    def params(self) -> dict[str, Any]:
        """The run's parameters."""
        params: dict[str, Any] = self.run["params"]
        return params

    @property
    def kill_grace_s(self) -> float:
        """How long a process may take to end after SIGTERM: none where another may begin soon."""
        return 0.0 if self.stopping is Stop.LEASE_LOST else self.settings.kill_grace_s

    async def write(self, verb: Callable[[Tx], Awaitable[T]]) -> T:
        """Do a fenced write in its own transaction, again and again while PostgreSQL is away.

        Raises LeaseLost when the run is no longer ours. The verb may run more than once.
        """
        delay_s = 0.1
        while True:
            if self.stopping is Stop.LEASE_LOST:
                raise LeaseLost(str(self.run_id))
            try:
                async with asyncio.timeout(self.settings.self_stop_s):
                    return await or_leave(_in_transaction(verb))
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, 1.0)

    async def queue_step(self, name: str, wait: StepWait = "slot") -> None:
        """Note that a step waits for a free slot, or for the run's own limit."""
        await self.write(lambda tx: fenced.queue_step(tx, self.run_id, self.fence, name, wait))

    async def start_step(self, name: str) -> None:
        """Note that a step has begun."""
        await self.write(lambda tx: fenced.start_step(tx, self.run_id, self.fence, name))

    async def wait_step(self, name: str, wait: StepWait, delay_s: float, *, tries: int) -> None:
        """Note when a step polls or is tried next."""
        await self.write(
            lambda tx: fenced.wait_step(
                tx, self.run_id, self.fence, name, wait, delay_s, tries=tries
            )
        )

    async def finish_step(
        self,
        name: str,
        status: StepEnd,
        *,
        outputs: Sequence[dict[str, Any]] = (),
        metrics: dict[str, Any] | None = None,
        reason: str | None = None,
        error: str | None = None,
        traceback: str | None = None,
        also: Callable[[Tx], Awaitable[None]] | None = None,
    ) -> None:
        """Note how a step has ended, and what it left behind; `also` happens with it or not at all."""

        async def verb(tx: Tx) -> None:
            await fenced.finish_step(
                tx,
                self.run_id,
                self.fence,
                name,
                status,
                outputs=outputs,
                metrics=metrics,
                reason=reason,
                error=error,
                traceback=traceback,
            )
            if also is not None:
                await also(tx)

        await self.write(verb)

    async def log(self, lines: Sequence[LogLine]) -> None:
        """Append lines to the run's log, in the order of the calls."""
        async with self._log_order:
            after = self._last_log_seq
            # Counted at once: a write that is cancelled may have been committed.
            self._last_log_seq += len(lines)
            await self.write(
                lambda tx: fenced.append_logs(tx, self.run_id, self.fence, after, lines)
            )


async def _in_transaction(verb: Callable[[Tx], Awaitable[T]]) -> T:
    async with transaction(SYSTEM) as tx:
        return await verb(tx)


Kind = Callable[[RunContext], Awaitable[Outcome | Parked]]

KINDS: dict[str, Kind] = {}
"""What this worker can do; it claims no run of another kind."""


class Execution:
    """One run in hand. `claimed_at`: the monotonic time just before its claim was sent."""

    def __init__(self, claim: Claim, settings: Work, claimed_at: float) -> None:
        self.context = RunContext(claim, settings)
        self._settings = settings
        self._last_beat = claimed_at
        self._look = asyncio.Event()
        self._work: asyncio.Task[Outcome | Parked] | None = None
        left_s = self.context.left_s
        self._deadline = None if left_s is None else claimed_at + left_s
        self._log = log.bind(run_id=str(claim.run_id), fence=claim.fence)

    def overdue(self, now: float) -> bool:
        """Whether work goes on though it should have been stopped: another may soon begin it."""
        limit_s = (self._settings.self_stop_s + self._settings.lease_s) / 2
        working = self._work is not None and not self._work.done()
        return working and now - self._last_beat > limit_s

    def look(self) -> None:
        """Beat now: a cancel may have been asked for."""
        self._look.set()

    def stop(self, reason: Stop) -> None:
        """Cancel the work. The first reason counts, but a lost lease overrules all."""
        if self.context.stopping is not None and reason is not Stop.LEASE_LOST:
            return
        self.context.stopping = reason
        if self._work is not None:
            self._work.cancel()

    async def hold(self, kind: Kind) -> None:
        """Do the work and write how it ended, unless the run was lost meanwhile."""
        self._log.info("run.started", attempt=self.context.attempt)
        self._work = asyncio.ensure_future(kind(self.context))
        pulse = asyncio.create_task(self._beat())
        try:
            await asyncio.wait([self._work])
            await self._settle(self._work)
        except LeaseLost:
            self._log.warning("run.lost")
        except Exception:
            # The lease ends by itself, and another worker takes over.
            self._log.exception("run.unsettled")
        finally:
            pulse.cancel()
            await asyncio.wait([pulse])

    async def _settle(self, work: asyncio.Task[Outcome | Parked]) -> None:
        run = self.context
        if run.stopping is Stop.LEASE_LOST:
            raise LeaseLost(str(run.run_id))
        if run.stopping is Stop.DRAIN and not _has_result(work):
            await self._give_back(0, consume_attempt=False)
            return
        outcome = self._outcome(work)
        if isinstance(outcome, Parked):
            await run.write(lambda tx: fenced.park(tx, run.run_id, run.fence, outcome.delay_s))
            self._log.info("run.parked", delay_s=round(outcome.delay_s, 1))
            return
        if outcome.retry and run.attempt < run.run["max_attempts"]:
            longest = min(RETRY_LONGEST_S, RETRY_BASE_S * 2 ** (run.attempt - 1))
            await self._give_back(longest * random.uniform(0.5, 1.0), consume_attempt=True)
            return
        await run.write(
            lambda tx: fenced.finish(
                tx,
                run.run_id,
                run.fence,
                outcome.status,
                result=outcome.result,
                reason=outcome.reason,
                error=outcome.error,
            )
        )
        self._log.info("run.finished", status=outcome.status, reason=outcome.reason)

    def _outcome(self, work: asyncio.Task[Outcome | Parked]) -> Outcome | Parked:
        if _has_result(work):
            return work.result()
        error = None if work.cancelled() else work.exception()
        if isinstance(error, LeaseLost):
            raise error
        stopping = self.context.stopping
        if stopping is Stop.CANCELLED:
            return Outcome("cancelled")
        if stopping is Stop.TIMEOUT:
            limit = self.context.run["timeout_s"]
            cancelled = self.context.params.get("timeout_status") == "cancelled"
            error_text = f"The run took longer than {limit} s."
            return Outcome(
                "cancelled" if cancelled else "failed", reason="timeout", error=error_text
            )
        if error is None:
            return Outcome("failed", reason="error", error="The run's work was given up.")
        self._log.error("run.broke", error="".join(traceback.format_exception(error)))
        return Outcome(
            "failed",
            reason="error",
            error=_shown(error),
            retry=is_transient(error),
        )

    async def _give_back(self, delay_s: float, *, consume_attempt: bool) -> None:
        run = self.context
        await run.write(
            lambda tx: fenced.give_back(
                tx, run.run_id, run.fence, delay_s=delay_s, consume_attempt=consume_attempt
            )
        )
        self._log.info("run.given_back", delay_s=round(delay_s, 1), attempt=run.attempt)

    async def _beat(self) -> None:
        """Keep the lease; stop the work at its timeout, when told to, or when the lease is lost."""
        try:
            await self._beat_until_lost()
        except LeaseLost:
            pass
        except Exception:
            self._log.exception("run.beat_broke")
        self.stop(Stop.LEASE_LOST)

    async def _beat_until_lost(self) -> None:
        next_beat = self._last_beat + self._settings.beat_s
        while True:
            give_up = self._last_beat + self._settings.self_stop_s
            await self._sleep_until(min(next_beat, give_up, self._deadline or give_up))
            now = time.monotonic()
            if now >= give_up:
                self._log.warning("run.no_beat", since_s=round(now - self._last_beat, 1))
                return
            if self._deadline is not None and now >= self._deadline:
                self._deadline = None
                self.stop(Stop.TIMEOUT)
            if now < next_beat and not self._look.is_set():
                continue
            self._look.clear()
            try:
                # A beat that hangs must delay neither the timeout nor the self-stop.
                async with asyncio.timeout(min(give_up, self._deadline or give_up) - now):
                    cancel = await or_leave(self._beat_once())
            except Exception as error:
                if not is_transient(error):
                    raise
                next_beat = now + min(1.0, self._settings.beat_s / 4)
                continue
            self._last_beat = now
            next_beat = now + self._settings.beat_s
            if cancel:
                self.stop(Stop.CANCELLED)

    async def _beat_once(self) -> bool:
        return await beat(self.context.run_id, self.context.fence, self._settings.lease_s)

    async def _sleep_until(self, at: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, at - time.monotonic())):
                await self._look.wait()
        except TimeoutError:
            pass


def _shown(error: BaseException) -> str:
    """An unforeseen error for members to read; the text of a database's has statements in it."""
    hidden = isinstance(error, SQLAlchemyError)
    return f"{type(error).__name__}: {_LOG_SAYS if hidden else error}"


def _has_result(work: asyncio.Task[Outcome | Parked]) -> bool:
    return not work.cancelled() and work.exception() is None
