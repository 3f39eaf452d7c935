"""The worker's slots: claims due runs while there is room, and holds them until they end.

It lives outside arq, which ends when Redis goes away and only ever tells it to look.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Mapping

import structlog

from app.core.db import is_transient
from app.runs.claim import Claim, claim
from app.settings import Work
from workers.execute import Execution, Kind, Stop

log = structlog.get_logger()


class Executor:
    """Runs in hand, at most `run_slots` of them."""

    def __init__(self, worker_id: str, settings: Work, kinds: Mapping[str, Kind]) -> None:
        self.worker_id = worker_id
        self._settings = settings
        self._kinds = kinds
        self._executions: dict[asyncio.Task[None], Execution] = {}
        self._looks = 1  # at start there may be work that nobody hints at
        self._wake = asyncio.Event()
        self._wake.set()
        self._looked = time.monotonic()
        self._draining = False
        self._hurry = asyncio.Event()
        self._serving: asyncio.Task[None]

    @property
    def running(self) -> int:
        """How many runs it holds."""
        return len(self._executions)

    @property
    def room(self) -> int:
        """How many more runs it would take."""
        if self._draining:
            return 0
        return max(0, self._settings.run_slots - self.running - self._looks)

    @property
    def draining(self) -> bool:
        """It claims nothing more."""
        return self._draining

    @property
    def looked_ago_s(self) -> float:
        """Seconds since it last looked for work without an error, or had no room to look."""
        return time.monotonic() - self._looked

    def look(self) -> None:
        """Claim the best due run, if there is room."""
        self._looks += 1
        self._wake.set()

    def cancel_asked(self, run_id: str) -> None:
        """A cancel was asked for; if the run is ours, see to it now and not at its next beat."""
        for execution in self._executions.values():
            if str(execution.context.run_id) == run_id:
                execution.look()

    def start(self) -> None:
        """Begin to claim."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        delay_s = 0.1
        while not self._draining:
            await self._told_to_look()
            # All these were asked before the next claim looks: if it finds nothing, so do they.
            looks, self._looks = self._looks, 0
            try:
                for _ in range(min(looks, self.room)):
                    sent = time.monotonic()
                    claimed = await self._claim()
                    if claimed is None:
                        break
                    self._hold(claimed, sent)
                self._looked = time.monotonic()
                if delay_s > 0.1:
                    log.info("claim.recovered")
                delay_s = 0.1
            except Exception as error:
                if not is_transient(error):
                    log.exception("claim.broke")
                elif delay_s == 0.1:
                    log.warning("claim.waits", error=type(error).__name__)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 2.0)
                self.look()

    async def _told_to_look(self) -> None:
        """Return when somebody asks for a look; after `look_s` of silence take what there is."""
        try:
            async with asyncio.timeout(self._settings.look_s):
                await self._wake.wait()
        except TimeoutError:
            self._looks = self._settings.run_slots
        self._wake.clear()

    async def _claim(self) -> Claim | None:
        async with asyncio.timeout(self._settings.self_stop_s):
            return await claim(
                self.worker_id,
                lease_s=self._settings.lease_s,
                kinds=list(self._kinds),
                project_limit=self._settings.project_run_limit,
            )

    def _hold(self, claimed: Claim, sent: float) -> None:
        execution = Execution(claimed, self._settings, sent)
        task = asyncio.create_task(execution.hold(self._kinds[claimed.run["kind"]]))
        self._executions[task] = execution
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._executions[task]
        self.look()

    async def drain(self) -> None:
        """Claim nothing more; let runs end for `drain_s`, then give back those that have not."""
        self._draining = True
        self._wake.set()
        deadline = time.monotonic() + self._settings.drain_s
        # Not cancelled: a claim that was sent may be ours already.
        await asyncio.wait([self._serving], timeout=self._settings.drain_s)
        hurry = asyncio.create_task(self._hurry.wait())
        while self._executions and not self._hurry.is_set():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            await asyncio.wait(
                [*self._executions, hurry], timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
        hurry.cancel()
        for execution in self._executions.values():
            execution.stop(Stop.DRAIN)
        if self._executions:
            # What does not end by then ends with this process, and its lease runs out.
            await asyncio.wait([*self._executions], timeout=self._settings.kill_grace_s + 5)

    def hurry(self) -> None:
        """End a drain's patience now."""
        self._hurry.set()

    def _watch(self) -> None:
        """From a thread: if a lost run goes on all the same (the event loop hangs, or a kind does
        not stop), kill this process. Its children die with it.

        Seen twice in a row only: after a thaw of the whole process the loop gets its turn first.
        """
        overdue_before = False
        while True:
            time.sleep(self._settings.lease_s / 30)
            now = time.monotonic()
            overdue = any(execution.overdue(now) for execution in list(self._executions.values()))
            if overdue and overdue_before:
                os.kill(os.getpid(), signal.SIGKILL)
                os._exit(1)  # as process 1 of a container it has survived that
            overdue_before = overdue
