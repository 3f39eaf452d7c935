"""Models in memory: the newest one of each project, swapped whole when there is a newer one."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from app.core import events
from app.semantic import reads
from app.semantic.model import Model, ModelErrors, load
from app.semantic.sources import DataSources, dialects, resolve

log = structlog.get_logger()

LOOK_S = 2.0
"""How old what is known of a project may be; an event makes it older at once."""
TOPIC = "semantic_models"
MOST = 200


@dataclass(frozen=True)
class Loaded:
    """A model that is served, and the data sources that it names."""

    id: int
    project_id: int
    version: int
    lens: str
    description: str | None
    model: Model
    sources: DataSources


@dataclass
class _Known:
    loaded: Loaded | None
    looked: float
    lock: asyncio.Lock


_known: dict[int, _Known] = {}


async def current(project_id: int) -> Loaded | None:
    """The served model of a project; None where it has none."""
    known = _known.get(project_id)
    if known is None:
        if len(_known) >= MOST:
            del _known[next(iter(_known))]
        known = _known[project_id] = _Known(None, float("-inf"), asyncio.Lock())
    if time.monotonic() - known.looked > LOOK_S:
        if known.loaded is not None and known.lock.locked():
            # Somebody is looking; meanwhile the old one is served.
            return known.loaded
        async with known.lock:
            if time.monotonic() - known.looked > LOOK_S:
                known.loaded = await _fresh(project_id, known.loaded)
                known.looked = time.monotonic()
    return known.loaded


def is_current(loaded: Loaded) -> bool:
    """Whether `current` would give just this one, without a look."""
    known = _known.get(loaded.project_id)
    if known is None or known.loaded is not loaded:
        return False
    return time.monotonic() - known.looked <= LOOK_S


async def _fresh(project_id: int, old: Loaded | None) -> Loaded | None:
    row = await reads.newest(project_id)
    if row is None:
        return None
    sources = await resolve(project_id)
    written = dialects(sources)
    if old is not None and old.id == row["id"] and _same(old, written):
        return replace(old, sources=sources, **_about(row))
    try:
        model = await asyncio.to_thread(load, await reads.files(row["id"]), written)
    except ModelErrors as error:
        # It was good for the version of the program that took it.
        log.error("semantic_model.not_loaded", project=project_id, error=str(error)[:2000])
        return old
    made = Loaded(
        row["id"], project_id, row["version"], model=model, sources=sources, **_about(row)
    )
    log.info("semantic_model.loaded", project=project_id, version=row["version"])
    return made


def _same(loaded: Loaded, written: Mapping[str, str]) -> bool:
    """Whether the model's SQL was parsed in the dialects that its data sources have now."""
    named = {table.data_source for table in loaded.model.tables.values()}
    before = dialects(loaded.sources)
    return all(before.get(name) == written.get(name) for name in named)


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"lens": row["uuid"], "description": row["description"]}


async def follow() -> None:
    """Look again as soon as somebody has made a version; for as long as the task lives."""
    with events.Waiter(TOPIC) as waiter:
        while True:
            await waiter.wait(3600)
            for known in _known.values():
                known.looked = float("-inf")


def forget_all() -> None:
    """Begin anew, with another database."""
    _known.clear()
