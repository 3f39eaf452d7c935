"""The lane itself: it claims queries while it has free slots, holds them by beats, and ends them."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from app.core import files
from app.core.db import is_transient
from app.semantic.actions import work
from app.settings import Semantic, Work
from workers.semantic.base import QueryError, Result
from workers.semantic.places import Places

log = structlog.get_logger()

ORPHAN_AGE_S = 3600.0
RETRY_S = 2.0
TRIM_S = 5.0
"""Between two looks at what is kept of a project; at a long answer there is always one."""


class Lane:
    """Queries in hand, at most `query_slots` of them."""

    def __init__(
        self,
        worker_id: str,
        limits: Work,
        settings: Semantic,
        places: Places,
        storage: files.Storage,
    ) -> None:
        self._worker = worker_id
        self._limits = limits
        self._settings = settings
        self._places = places
        self._storage = storage
        self._wake = asyncio.Event()
        self._held: dict[int, asyncio.Task[None]] = {}
        self._grown: set[int] = set()
        self._trimmed: dict[int, float] = {}
        self._draining = False

    def look(self) -> None:
        """There may be something to claim, or something that was cancelled."""
        self._wake.set()

    async def serve(self) -> None:
        """Claim until cancelled; whatever fails is tried again."""
        while not self._draining:
            try:
                await self._claim_all()
                await self._told_to_look()
                await self._drop_lost()
                await self._trim()
            except Exception as error:
                if not is_transient(error):
                    log.exception("lane.broke")
                await asyncio.sleep(RETRY_S)

    async def drain(self, wait_s: float) -> None:
        """Claim nothing more; what has not ended after `wait_s` is given back."""
        self._draining = True
        if self._held:
            await asyncio.wait(self._held.values(), timeout=wait_s)
        left = list(self._held.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._places.close()

    async def _told_to_look(self) -> None:
        """Return when there may be something to do, after a while of silence, and to beat."""
        limits = self._limits
        longest_s = min(limits.look_s, limits.beat_s) if self._held else limits.look_s
        try:
            async with asyncio.timeout(longest_s):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _claim_all(self) -> None:
        while len(self._held) < self._settings.query_slots and not self._draining:
            claimed = await work.claim(
                self._worker,
                lease_s=self._limits.lease_s,
                orphan_s=self._settings.query_orphan_s,
                concurrency=self._settings.query_concurrency,
            )
            if claimed is None:
                return
            self._hold(claimed)

    def _hold(self, query: work.Query) -> None:
        if (old := self._held.pop(query.id, None)) is not None:
            old.cancel()
        task = asyncio.create_task(self._run(query))
        self._held[query.id] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._held.get(query.id) is done:
                del self._held[query.id]
            self._wake.set()

        task.add_done_callback(ended)

    async def _drop_lost(self) -> None:
        """Beat, and stop what was cancelled or taken from us."""
        if not self._held:
            return
        ids = set(self._held)
        kept = await work.beat(self._worker, ids, self._limits.lease_s)
        for lost in ids - kept:
            if (task := self._held.get(lost)) is not None:
                task.cancel("lost")

    async def _run(self, query: work.Query) -> None:
        try:
            result = await self._answer(query)
        except QueryError as error:
            self._note_grown(query.project_id, 0)
            await self._end(work.fail(self._worker, query, str(error)[:2000]))
        except asyncio.CancelledError:
            if self._draining:
                await asyncio.shield(work.give_back(self._worker, query))
            raise
        except Exception:
            log.exception("query.broke", query=query.id)
            text = "The query could not be run. The worker's log says more."
            await self._end(work.fail(self._worker, query, text))
        else:
            try:
                await self._end(self._keep(query, result))
            finally:
                # As soon as the end is written this can be cancelled, for the query is held no more.
                self._note_grown(query.project_id, len(result.content))

    async def _answer(self, query: work.Query) -> Result:
        engine = await self._places.engine(query.place)
        return await engine.run(query.sql, query.values, self._settings.query_timeout_s)

    async def _keep(self, query: work.Query, result: Result) -> bool:
        key = None
        if len(result.content) > work.INLINE_BYTES:
            key = work.file_name(query, len(result.content))
            await asyncio.to_thread(self._write, key, result.content)
        inline = result.content if key is None else None
        kept = await work.finish(
            self._worker, query, rows=result.rows, result=inline, result_key=key
        )
        stale = query.result_key if kept else key
        if stale is not None:
            await asyncio.to_thread(self.remove, stale)
        return kept

    def _write(self, key: str, content: bytes) -> None:
        with self._storage.write(key) as file:
            file.write(content)

    def remove(self, key: str) -> None:
        """Delete the file of an answer; nothing to delete is no error."""
        path: Path = self._storage.path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()

    def _note_grown(self, project_id: int, bytes_: int) -> None:
        """Have what is kept of a project looked at, now and then and at each long answer."""
        now = time.monotonic()
        if bytes_ > work.INLINE_BYTES or now - self._trimmed.get(project_id, -TRIM_S) >= TRIM_S:
            self._trimmed[project_id] = now
            self._grown.add(project_id)

    async def _trim(self) -> None:
        """Delete some of what a project has kept too much of; what is left comes at the next turn."""
        if not self._grown:
            return
        project_id = self._grown.pop()
        keys, more = await work.trim(project_id, self._settings.query_kept_mb * 1024**2)
        for key in keys:
            await asyncio.to_thread(self.remove, key)
        if more:
            self._grown.add(project_id)
        if self._grown:
            self._wake.set()

    async def _end(self, write: Coroutine[Any, Any, object]) -> None:
        """Write an end; where the database is away the lease runs out, and it is run again."""
        try:
            await write
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("query.end_not_written", error=type(error).__name__)

    async def forget(self) -> None:
        """Delete what nobody asks for any more, and files that no row names; a duty for `every`."""
        await self._forget_rows()
        found = await asyncio.to_thread(self._old_files)
        for start in range(0, len(found), work.BATCH):
            batch = found[start : start + work.BATCH]
            for key in set(batch) - await work.named(batch):
                await asyncio.to_thread(self.remove, key)

    def _old_files(self) -> list[str]:
        """Files of answers that are no longer being made: of lost runs, of projects that are gone."""
        oldest = time.time() - ORPHAN_AGE_S
        paths = (self._storage.root / work.FOLDER).glob("*/*")
        return [self._storage.key(path) for path in paths if path.stat().st_mtime < oldest]

    async def _forget_rows(self) -> None:
        more = True
        while more:
            keys, more = await work.forget_old()
            for key in keys:
                await asyncio.to_thread(self.remove, key)
