"""Settings at rest, and the handles that stand for their secrets outside.

A handle reads `secret:<source|destination>:<id>:<path>:<mac>`. It stands for what is stored at that
path now, and only for callers who may change the entity that it names.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

import orjson
from sqlalchemy import RowMapping, Table, select

from app.access.installation import keys
from app.core.crypto import KeyRing
from app.core.db import Tx
from app.core.errors import Forbidden
from app.ingestion.config import is_secret, leaves, replaced, secret_names
from app.ingestion.tables import sync_destinations, sync_sources

End = Literal["source", "destination"]
"""Which end of a job."""

TABLES: Mapping[End, Table] = {"source": sync_sources, "destination": sync_destinations}
_MAC_LENGTH = 32


def place(end: End, row_id: int) -> str:
    """Where the sealed settings of an entity belong; they open nowhere else."""
    return f"sync_{end}s/{row_id}/config"


def seal(config: Any, where: str) -> str:
    """Settings as one ciphertext."""
    return keys().ring.seal(orjson.dumps(config).decode(), where)


def unseal(sealed: str, where: str, ring: KeyRing | None = None) -> dict[str, Any]:
    """Settings in clear; SecretError where the key or the place is another."""
    found: dict[str, Any] = orjson.loads((ring or keys().ring).open(sealed, where))
    return found


def shown(config: Mapping[str, Any], spec: Any, end: End, row_id: int) -> dict[str, Any]:
    """The settings with a handle in place of each secret."""
    names = secret_names(spec)

    def change(path: tuple[str, ...], leaf: Any) -> Any:
        if leaf in (None, "") or isinstance(leaf, bool) or not is_secret(path, names):
            return leaf
        return _handle(end, row_id, ".".join(path))

    made: dict[str, Any] = replaced(config, change)
    return made


async def with_secrets(tx: Tx, config: Any, project_id: int) -> Any:
    """The settings with what is stored in place of each handle.

    Forbidden for a handle that is not of this project, that the caller may not use, or that stands
    for nothing: these look alike.
    """
    wanted = {leaf: _parsed(leaf) for _, leaf in leaves(config) if _is_handle(leaf)}
    if not wanted:
        return config
    values: dict[tuple[End, int], dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for text, (end, row_id, path) in wanted.items():
        if (end, row_id) not in values:
            values[end, row_id] = await _stored(tx, end, row_id, project_id)
        if path not in values[end, row_id]:
            _refuse()
        found[text] = values[end, row_id][path]
    return replaced(config, lambda _, leaf: found[leaf] if _is_handle(leaf) else leaf)


def opened(
    row: RowMapping | dict[str, Any], end: End, ring: KeyRing | None = None
) -> dict[str, Any]:
    """The settings of an entity's row in clear; with this process's keys unless others are given."""
    return unseal(row["sealed"], place(end, row["id"]), ring)


async def _stored(tx: Tx, end: End, row_id: int, project_id: int) -> dict[str, Any]:
    table = TABLES[end]
    row = await tx.one(
        select(table).where(
            table.c.id == row_id, table.c.project_id == project_id, table.c.deleted_at.is_(None)
        )
    )
    if row is None or not tx.subject.may("pipeline.write", project_id):
        _refuse()
    return {".".join(path): leaf for path, leaf in leaves(opened(row, end))}


def _is_handle(leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.startswith(("secret:source:", "secret:destination:"))


def _handle(end: End, row_id: int, path: str) -> str:
    return f"secret:{end}:{row_id}:{path}:{_macs(end, row_id, path)[0]}"


def _macs(end: str, row_id: int, path: str) -> list[str]:
    """What each key of the ring makes, the newest first: a handle outlives a change of keys."""
    about = f"secret-handle:{end}:{row_id}:{path}".encode()
    made = (hmac.new(key, about, hashlib.sha256) for _, key in keys().ring.keys)
    return [mac.hexdigest()[:_MAC_LENGTH] for mac in made]


def _parsed(handle: str) -> tuple[End, int, str]:
    _, end, number, rest = handle.split(":", 3)[:4] if handle.count(":") >= 4 else ("", "", "", "")
    path, _, mac = rest.rpartition(":")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        _refuse()
    right = _macs(end, int(number), path)
    if not any(hmac.compare_digest(mac.encode(), one.encode()) for one in right):
        _refuse()
    return ("source" if end == "source" else "destination"), int(number), path


def _refuse() -> NoReturn:
    raise Forbidden("A secret in the settings is not yours to use. Type the value itself.")
