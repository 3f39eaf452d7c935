"""OLake's catalog: streams as discovery tells of them, and as a job has configured them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workers.connectors.base import OPERATORS, Condition, Found, Stream, SyncError

ENGINE_COLUMNS = {
    "_olake_id": "string",
    "_olake_timestamp": "timestamp_micro",
    "_op_type": "string",
}
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "integer_small",
    "UTINYINT": "integer_small",
    "SMALLINT": "integer_small",
    "USMALLINT": "integer_small",
    "INTEGER": "integer_small",
    "UINTEGER": "integer",
    "BIGINT": "integer",
    "FLOAT": "number_small",
    "DOUBLE": "number",
    "DATE": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp_milli",
    "TIMESTAMP": "timestamp_micro",
    "TIMESTAMP WITH TIME ZONE": "timestamp_micro",
    "TIMESTAMP_NS": "timestamp_nano",
}
_LEGACY = re.compile(r"\s*([\w.]+|\"[^\"]+\")\s*(!=|>=|<=|=|>|<)\s*(\"[^\"]*\"|'[^']*'|[^\s]+)\s*")
MOST_CONDITIONS = 2


def catalog(found: Sequence[Found], prefix: str, database: str = "") -> dict[str, Any]:
    """The catalog of discovered streams, all selected, with OLake's defaults."""
    selected: dict[str, list[dict[str, Any]]] = {}
    for stream in found:
        selected.setdefault(stream.namespace, []).append(_metadata(stream))
    streams = [{"stream": _described(stream, prefix, database)} for stream in found]
    return {"selected_streams": selected, "streams": streams}


def configured(entry: Mapping[str, Any], selected: Mapping[str, Any]) -> Stream:
    """A stream of a catalog together with its entry in `selected_streams`."""
    described = entry.get("stream", entry)
    name = f"{described['namespace']}.{described['name']}"
    properties = (described.get("type_schema") or {}).get("properties") or {}
    cursor, _, second = str(described.get("cursor_field") or "").partition(":")
    chosen = selected.get("selected_columns") or {}
    conditions, any_condition = _conditions(selected, name)
    defaults = described.get("default_stream_properties") or {}
    return Stream(
        namespace=described["namespace"],
        name=described["name"],
        mode=described.get("sync_mode") or "full_refresh",
        key=tuple(described.get("source_defined_primary_key") or ()),
        cursor=cursor or None,
        second_cursor=second or None,
        columns=tuple(chosen["columns"]) if chosen.get("columns") else None,
        known_columns=tuple(n for n, p in properties.items() if not p.get("olake_column")),
        new_columns=bool(chosen.get("sync_new_columns", True)),
        conditions=conditions,
        any_condition=any_condition,
        normalization=bool(selected.get("normalization", defaults.get("normalization", True))),
        append=bool(selected.get("append_mode", defaults.get("append_mode", False))),
        partition=str(selected.get("partition_regex") or ""),
        source_names=bool(selected.get("use_source_column_names")),
        database=str(described.get("destination_database") or described["namespace"]),
        table=str(described.get("destination_table") or plain_name(described["name"])),
        extra=described,
    )


def selected_streams(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pairs `{stream, selected}` of what a catalog selects; everything, if it does not say."""
    chosen = whole.get("selected_streams")
    pairs = []
    for entry in whole.get("streams") or []:
        described = entry.get("stream", entry)
        if chosen is None:
            pairs.append({"stream": described, "selected": {}})
            continue
        for metadata in chosen.get(described.get("namespace") or "") or []:
            if metadata.get("stream_name") == described.get("name"):
                pairs.append({"stream": described, "selected": metadata})
    return pairs


def plain_name(name: str) -> str:
    """A name in lower case, with underscores for all but letters and digits."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _metadata(stream: Found) -> dict[str, Any]:
    return {
        "stream_name": stream.name,
        "partition_regex": "",
        "normalization": True,
        "append_mode": stream.default_append,
        "selected_columns": {
            "columns": [*(c.name for c in stream.columns), *_engine_columns(stream)],
            "sync_new_columns": True,
        },
        "use_source_column_names": False,
    }


def _engine_columns(stream: Found) -> dict[str, str]:
    cdc = {"_cdc_timestamp": "timestamp_micro"} if "cdc" in stream.modes else {}
    return {**ENGINE_COLUMNS, **cdc}


def _described(stream: Found, prefix: str, database: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for column in stream.columns:
        types = [_type(column.type), *(["null"] if column.nullable else [])]
        properties[column.name] = {
            "type": types,
            "destination_column_name": plain_name(column.name),
        }
    for name, type_ in _engine_columns(stream).items():
        properties[name] = {
            "type": [type_],
            "destination_column_name": name,
            "olake_column": True,
        }
    mode = _default_mode(stream)
    first = "_".join(plain_name(part) for part in (prefix, database) if part)
    return {
        "namespace": stream.namespace,
        "name": stream.name,
        "type_schema": {"properties": properties},
        "supported_sync_modes": list(stream.modes),
        "source_defined_primary_key": list(stream.key),
        "available_cursor_fields": list(stream.cursors),
        "sync_mode": mode,
        **({"cursor_field": min(stream.cursors)} if mode == "incremental" else {}),
        "destination_database": f"{first}:{plain_name(stream.namespace)}",
        "destination_table": plain_name(stream.name),
        "default_stream_properties": {
            "normalization": True,
            "append_mode": stream.default_append,
        },
        **stream.extra,
    }


def _default_mode(stream: Found) -> str:
    if "cdc" in stream.modes:
        return "cdc"
    if "incremental" in stream.modes and stream.cursors:
        return "incremental"
    return "strict_cdc" if "strict_cdc" in stream.modes else "full_refresh"


def _type(type_: str) -> str:
    if type_.endswith("]"):
        return "array"
    if type_.startswith(("STRUCT(", "MAP(")):
        return "object"
    if type_.startswith("DECIMAL("):
        return "number"
    return _TYPES.get(type_, "string")


def _conditions(selected: Mapping[str, Any], stream: str) -> tuple[tuple[Condition, ...], bool]:
    """The filter in either spelling; SyncError where it makes no sense."""
    config = selected.get("filter_config") or {}
    if config.get("conditions"):
        rows = config["conditions"]
        found = [Condition(c["column"], c["operator"], _value(c.get("value"))) for c in rows]
        either = str(config.get("logical_operator") or "and").lower() == "or"
    else:
        found, either = _legacy(str(selected.get("filter") or ""), stream)
    if len(found) > MOST_CONDITIONS:
        raise SyncError(f"The filter of {stream} has more than {MOST_CONDITIONS} conditions.")
    if any(condition.operator not in OPERATORS for condition in found):
        raise SyncError(f"The filter of {stream} has an operator that is none of {OPERATORS}.")
    return tuple(found), either


def _value(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _legacy(text: str, stream: str) -> tuple[list[Condition], bool]:
    if not text.strip():
        return [], False
    words = re.split(r"\s+(and|or)\s+", text, flags=re.IGNORECASE)
    found = []
    for part in words[::2]:
        match = _LEGACY.fullmatch(part)
        if match is None:
            raise SyncError(f"The filter of {stream} cannot be read: {part.strip()[:80]}")
        found.append(Condition(match[1].strip('"'), match[2], match[3].strip("\"'")))
    return found, any(word.lower() == "or" for word in words[1::2])
