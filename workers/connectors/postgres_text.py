"""Values as PostgreSQL writes them in text, made into those that a scan would have read."""

import json
import re

from workers.connectors.base import SyncError

_TOKEN = re.compile(r'[{}]|"((?:[^"\\]|\\.)*)"|([^{},"]+)', re.DOTALL)


def from_text(value: str, type_: str, depth: int = 0) -> str:
    """SQL of DuckDB that makes a value of a type; arrays come as JSON, see `array_json`."""
    if type_.endswith("[]"):
        levels = type_.count("[]")
        listed = f"CAST(CAST({value} AS JSON) AS VARCHAR{'[]' * levels})" if depth == 0 else value
        one = f"e{depth}"
        inner = from_text(one, type_[:-2], depth + 1)
        return listed if inner == one else f"list_transform({listed}, lambda {one}: {inner})"
    if type_ == "VARCHAR":
        return value
    if type_ == "BLOB":
        return f"from_hex(substr({value}, 3))"
    if type_.startswith("STRUCT(x"):
        x, y = (f"CAST(regexp_extract({value}, '\\((.*),(.*)\\)', {i}) AS DOUBLE)" for i in (1, 2))
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack(x := {x}, y := {y}) END"
    return f"CAST({_readable(value, type_)} AS {type_})"


def _readable(value: str, type_: str) -> str:
    """The text in the way in which DuckDB reads it."""
    if type_.startswith("DECIMAL"):
        return f"nullif({value}, 'NaN')"
    if type_ == "INTERVAL":
        return f"replace({value}, '+', '')"
    if type_ == "DATE" or type_.startswith("TIMESTAMP"):
        return f"regexp_replace({value}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')"
    return value


def array_json(text: bytes, depth: int) -> bytes:
    """An array such as `{1,NULL,"a,b"}` as JSON of texts; SyncError where it is deeper, or less
    deep, than its table declares."""
    if text == b"{}":
        return b"[]"
    written = text.decode()
    if written.startswith("["):
        # Bounds that do not begin with 1 stand in front: [0:1]={1,2}
        written = written.partition("=")[2]
    if len(written) - len(written.lstrip("{")) != depth:
        raise SyncError(
            "An array column holds arrays of other dimensions than its table declares: declare "
            "them, or leave the column out."
        )
    return _json(written).encode()


def _json(written: str) -> str:
    parts: list[str] = []
    for match in _TOKEN.finditer(written):
        sign = match[0]
        if sign in "{}":
            if sign == "{" and parts and parts[-1] != "[":
                parts.append(",")
            parts.append("[" if sign == "{" else "]")
            continue
        if parts[-1] != "[":
            parts.append(",")
        if match[1] is not None:
            parts.append(json.dumps(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)))
        else:
            parts.append("null" if sign == "NULL" else json.dumps(sign))
    return "".join(parts)
