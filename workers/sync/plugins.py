"""Connectors that installed packages bring: told to the database, so that the API knows them."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.ingestion.specs import VERSION, register

log = structlog.get_logger()


async def register_plugins() -> None:
    """Register what each of them says of itself; one that cannot be loaded is left out."""
    found = [(kind, p) for kind in ("source", "destination") for p in _points(kind)]
    rows = tuple(row for kind, point in found if (row := _row(kind, point)) is not None)
    if not rows:
        return
    try:
        async with transaction(SYSTEM) as tx:
            await register(tx, rows)
    except (SQLAlchemyError, OSError) as error:
        log.warning("connectors.not_registered", error=type(error).__name__)


def _points(kind: str) -> list[EntryPoint]:
    return list(entry_points(group=f"isthmus.{kind}s"))


def _row(kind: str, point: EntryPoint) -> Mapping[str, Any] | None:
    try:
        said: Mapping[str, Any] = point.load().spec
        return {
            "kind": kind,
            "type": point.name,
            "connector_version": said.get("version", VERSION),
            "title": said["title"],
            "spec": said["jsonschema"],
            "ui_spec": orjson.dumps(said.get("uischema", {})).decode(),
            "abilities": {"runs": True, "why_not": None, "sync_modes": said.get("sync_modes", [])},
        }
    except Exception:
        # Code of others: whatever it does wrong must not keep a worker from its work.
        log.exception("connectors.broken", connector=point.name, package=point.value)
        return None
