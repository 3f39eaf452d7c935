"""`python -m workers`: one worker process, from its connections to its drain."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from app.access.installation import load_ring, open_ring
from app.core import db, events, outbox
from app.core.files import Storage
from app.core.outgoing import Outgoing, own_servers
from app.core.protection import protect_process
from app.settings import Settings
from workers import hand_off
from workers.execute import KINDS, Kind
from workers.executor import Executor
from workers.loops import alerts, reconciler, retention, scheduler, slots, tallies
from workers.loops.every import every
from workers.loops.presence import Presence
from workers.notify.notification import Notification
from workers.notify.sync_webhook import SyncWebhook
from workers.pipelines import layout
from workers.pipelines.requirements import prepare
from workers.pipelines.run_pipeline import PipelineKind
from workers.semantic.duck import DuckProcesses
from workers.semantic.lane import Lane
from workers.semantic.places import Places
from workers.sync.plugins import register_plugins
from workers.sync.run_sync import SyncKind, SyncLimits, SyncPlaces

log = structlog.get_logger()


async def work(settings: Settings, *, install: bool = False) -> int:
    """Work until SIGTERM or SIGINT, then drain; a second signal ends the drain's patience.

    Returns the exit status. With `install` it installs what projects require before it starts.
    """
    limits, places = settings.work, settings.places
    protect_process()
    logging.getLogger("arq").setLevel(logging.WARNING)
    # It would log addresses, which hold tokens.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    db.connect(
        places.database_url,
        pool_size=places.database_pool,
        idle_in_transaction_s=min(10.0, limits.lease_s),
    )
    outbox.connect(places.redis_url)
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    pipelines = PipelineKind(limits, Storage(places.storage_dir), limits.block_environment())
    layout.use_keys(settings.access.secret_keys)
    if settings.access.secret_keys:
        open_ring(load_ring(settings.access))
    if not await prepare(install=install, environ=limits.pip_environment()):
        return 1
    await register_plugins()
    await pipelines.start()
    syncs = _syncs(settings)
    kinds: dict[str, Kind] = {
        "pipeline": pipelines,
        "notification": _notification(settings),
        "sync_webhook": SyncWebhook(_outgoing(settings)),
        **dict.fromkeys(("sync", "clear"), syncs.sync),
        **dict.fromkeys(("check", "discover"), syncs.probe),
        **KINDS,
    }
    executor = Executor(worker_id, limits, kinds)
    presence = Presence(executor, limits)
    lane = _lane(settings, worker_id)
    told = _listen_to_signals(executor)
    executor.start()
    claiming = [
        _task(hand_off.serve(places.redis_url, executor)),
        _task(every(limits.reconcile_s, partial(reconciler.reconcile, executor), "reconciler")),
        _task(every(limits.schedule_s, scheduler.schedule, "scheduler")),
        _task(every(alerts.INTERVAL_S, alerts.alert, "alerts")),
        _task(every(tallies.INTERVAL_S, tallies.fold, "tallies")),
        _task(lane.serve()),
        _task(events.listen(events.QUERIES, lambda _: lane.look())),
        _task(every(retention.INTERVAL_S, lane.forget, "answers")),
        _task(
            every(limits.slot_look_s / 4, partial(slots.watch, syncs, limits.slot_look_s), "slots")
        ),
        _task(
            every(
                retention.INTERVAL_S,
                partial(retention.forget, Storage(places.storage_dir), limits.retention_days),
                "retention",
            )
        ),
    ]
    holding = [
        _task(events.listen(events.CANCELS, lambda run_id: executor.cancel_asked(run_id.decode()))),
        _task(every(presence.interval_s, presence.report, "presence")),
    ]
    log.info(
        "worker.started",
        worker=worker_id,
        kinds=sorted(kinds),
        slots=limits.run_slots,
    )
    ended, _ = await asyncio.wait([told, *claiming, *holding], return_when=asyncio.FIRST_COMPLETED)
    status = 0 if told in ended else 1
    for task in ended - {told}:
        log.error("worker.broke", exc_info=task.exception())
    log.info("worker.draining", worker=worker_id, runs=executor.running)
    await _end(claiming)
    await asyncio.gather(executor.drain(), lane.drain(limits.drain_s))
    await _end(holding)
    await pipelines.close()
    await presence.leave()
    await outbox.disconnect()
    await db.disconnect()
    log.info("worker.ended", worker=worker_id)
    return status


def _notification(settings: Settings) -> Notification:
    environ = settings.work.block_environment()
    return Notification(_outgoing(settings), settings.outside.public_host, environ)


def _syncs(settings: Settings) -> SyncKind:
    places = SyncPlaces(settings.places.data_dir, settings.places.storage_dir / "scratch")
    warehouse, environ = settings.work.warehouse_url, settings.work.block_environment()
    work = settings.work
    limits = SyncLimits(work.sync_memory_mb, work.sync_threads, work.sync_processes)
    return SyncKind(places, _outgoing(settings), warehouse, environ, limits)


def _lane(settings: Settings, worker_id: str) -> Lane:
    work, semantic, places = settings.work, settings.semantic, settings.places
    limits = {
        "memory_mb": semantic.query_memory_mb,
        "threads": work.sync_threads,
        "data_root": str(places.data_dir),
        "scratch": str(places.storage_dir / "scratch"),
    }
    engines = Places(
        _outgoing(settings), work.warehouse_url, DuckProcesses(limits), semantic.query_concurrency
    )
    return Lane(worker_id, work, semantic, engines, Storage(places.storage_dir))


def _outgoing(settings: Settings) -> Outgoing:
    own = own_servers([settings.places.database_url, settings.places.redis_url])
    return Outgoing(settings.outside.outgoing_private, own)


def _task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(coroutine)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _listen_to_signals(executor: Executor) -> asyncio.Task[None]:
    told = asyncio.Event()

    def hear() -> None:
        if told.is_set():
            executor.hurry()
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, hear)

    async def wait() -> None:
        await told.wait()

    return asyncio.create_task(wait())
