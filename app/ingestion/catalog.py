"""OLake's catalog of a job's streams: what is selected, what differs, what a new look adds.

`{"selected_streams": {namespace: [metadata]}, "streams": [{"stream": stream}]}`. A catalog without
`selected_streams` selects all of its streams.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from app.core.errors import Invalid
from app.ingestion.kinds import MODES

Catalog = Mapping[str, Any]
Identity = tuple[str, str]
"""Namespace and name."""

MAX_STREAMS = 10_000
MAX_BYTES = 32 * 1024 * 1024

_OF_STREAM = ("sync_mode", "destination_database", "destination_table")
_OF_METADATA = (
    "normalization",
    "partition_regex",
    "filter",
    "filter_config",
    "use_source_column_names",
    "append_mode",
)
_KEPT = (
    "sync_mode",
    "cursor_field",
    "destination_database",
    "destination_table",
    "source_defined_primary_key",
)


@dataclass(frozen=True)
class Configured:
    """A stream of a catalog with what was chosen for it; `metadata` is None where it is left out."""

    namespace: str
    name: str
    stream: Mapping[str, Any]
    metadata: Mapping[str, Any] | None

    @property
    def identity(self) -> Identity:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def full_name(self) -> str:
        """As steps of a run are named."""
        return f"{self.namespace}.{self.name}"


def check(catalog: Any) -> None:
    """Refuse what is no catalog; an empty object is one without streams."""
    if not isinstance(catalog, Mapping):
        _refuse("must be an object")
    written = orjson.dumps(catalog)
    if len(written) > MAX_BYTES:
        _refuse(f"is larger than {MAX_BYTES} bytes")
    if b"\\u0000" in written:
        _refuse("contains a NUL character")
    streams, selected = _listed(catalog.get("streams")), catalog.get("selected_streams")
    if not isinstance(streams, list) or not all(_is_entry(entry) for entry in streams):
        _refuse("needs `streams`: a list of {stream: {name, namespace, ...}}")
    if len(streams) > MAX_STREAMS:
        _refuse(f"has more than {MAX_STREAMS} streams")
    if selected is not None and not _is_selection(selected):
        _refuse("needs `selected_streams`: lists of {stream_name, ...} by namespace")
    _check_selected(catalog)


def _check_selected(catalog: Catalog) -> None:
    known: set[str] = set()
    for one in configured(catalog):
        if one.full_name in known:
            _refuse(f"has the stream {one.full_name} twice")
        known.add(one.full_name)
        mode = one.stream.get("sync_mode") or MODES[0]
        if mode not in MODES:
            _refuse(f"has an unknown sync_mode for {one.full_name}: one of {', '.join(MODES)}")
        cursor = one.stream.get("cursor_field")
        if cursor is not None and not isinstance(cursor, str):
            _refuse(f"needs a text as cursor_field of {one.full_name}")


def configured(catalog: Catalog) -> list[Configured]:
    """All streams of a catalog, in its order."""
    chosen = catalog.get("selected_streams")
    metadata: dict[Identity, Mapping[str, Any]] = {}
    for namespace, entries in (chosen or {}).items():
        for entry in entries or []:
            if not entry.get("disabled"):
                metadata[namespace, entry["stream_name"]] = entry
    found = []
    for item in catalog.get("streams") or []:
        stream = item["stream"]
        identity = (stream.get("namespace") or "", stream["name"])
        own = metadata.get(identity) if chosen is not None else {"stream_name": identity[1]}
        found.append(Configured(*identity, stream=stream, metadata=own))
    return found


def selected(catalog: Catalog) -> list[Configured]:
    """The streams that are synced."""
    return [one for one in configured(catalog) if one.metadata is not None]


def part(catalog: Catalog, identities: Iterable[Identity]) -> dict[str, Any]:
    """The same catalog with these selected streams only."""
    wanted = set(identities)
    chosen = [one for one in selected(catalog) if one.identity in wanted]
    selection: dict[str, list[Any]] = {}
    for one in chosen:
        selection.setdefault(one.namespace, []).append(one.metadata)
    return {
        "selected_streams": selection,
        "streams": [{"stream": one.stream} for one in chosen],
    }


def difference(old: Catalog, new: Catalog) -> dict[str, Any]:
    """What of the new catalog must be cleared before it is synced: new streams, and changed ones."""
    before = {one.identity: one for one in selected(old)}
    differs = [one.identity for one in selected(new) if _differs(before.get(one.identity), one)]
    return part(new, differs)


def _differs(old: Configured | None, new: Configured) -> bool:
    if old is None:
        return True
    names = (*_OF_STREAM, *(("cursor_field",) if _is_incremental(new) else ()))
    if any(_value(old.stream, name) != _value(new.stream, name) for name in names):
        return True
    return any(_value(old.metadata, name) != _value(new.metadata, name) for name in _OF_METADATA)


def _is_incremental(one: Configured) -> bool:
    return one.stream.get("sync_mode") == "incremental"


def _value(of: Mapping[str, Any] | None, name: str) -> Any:
    """What is empty is not set: false, "", null and absent are the same."""
    return (of or {}).get(name) or None


def merge(old: Catalog, found: Catalog) -> dict[str, Any]:
    """A newly discovered catalog with the choices of the old one; new streams are not selected."""
    known = {one.identity: one for one in configured(old)}
    selection: dict[str, list[Any]] = {}
    streams = []
    for one in configured(found):
        before = known.get(one.identity)
        if before is None:
            streams.append({"stream": one.stream})
            continue
        kept = {name: before.stream[name] for name in _KEPT if before.stream.get(name)}
        streams.append({"stream": {**one.stream, **kept}})
        if before.metadata is not None:
            metadata = {**before.metadata, **_columns(before, one)}
            selection.setdefault(one.namespace, []).append(metadata)
    return {"selected_streams": selection, "streams": streams}


def _columns(before: Configured, now: Configured) -> dict[str, Any]:
    """The selected columns that still are, and those that are new where these are wanted."""
    chosen = (before.metadata or {}).get("selected_columns")
    if not isinstance(chosen, Mapping) or not isinstance(chosen.get("columns"), list):
        return {}
    present, known = _properties(now), set(_properties(before))
    columns = [name for name in chosen["columns"] if name in present]
    if chosen.get("sync_new_columns"):
        columns += [n for n in present if n not in known and n not in columns]
    return {"selected_columns": {**chosen, "columns": columns}}


def _properties(one: Configured) -> Sequence[str]:
    schema = one.stream.get("type_schema") or {}
    return list(schema.get("properties") or {})


def _listed(value: Any) -> Any:
    """What is null is an empty list."""
    return [] if value is None else value


def _is_entry(entry: Any) -> bool:
    stream = entry.get("stream") if isinstance(entry, Mapping) else None
    if not isinstance(stream, Mapping):
        return False
    return (
        isinstance(stream.get("name"), str)
        and bool(stream["name"])
        and isinstance(stream.get("namespace") or "", str)
    )


def _is_selection(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    lists = [_listed(entries) for entries in value.values()]
    return all(
        isinstance(entries, list)
        and all(isinstance(e, Mapping) and isinstance(e.get("stream_name"), str) for e in entries)
        for entries in lists
    )


def _refuse(what: str) -> NoReturn:
    raise Invalid(f"streamsConfig {what}.", "STREAMS_INVALID", path=("streamsConfig",))
