"""Hands values from one block to the next as files that are also the stored outputs.

A data frame is one Arrow IPC file with zstd; any other value is one JSON file. A list or tuple
is stored item by item, and arrives downstream as one list (contract: one item arrives bare,
None arrives as an empty list).
"""

import math
import os
import stat
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import ipc

from app.core.files import write_aside
from workers.pipelines import tables, values
from workers.pipelines.calls import Input, Kind, Output

# A list longer than this without a table in it is stored as one output: one file and one
# ledger entry for each of a million numbers would serve nobody.
MAX_ITEMS = 100
_MAX_TEXT = 64 * 1024


def write_outputs(value: Any, folder: Path, root: Path) -> list[Output]:
    """Store what a block returned in `folder` (below `root`); UnsupportedValue if it cannot be."""
    prefix = folder.relative_to(root).as_posix()
    return [
        _write(item, f"output_{position}", folder, prefix)
        for position, item in enumerate(_items(value))
    ]


def read_value(outputs: list[Output] | tuple[Output, ...], root: Path) -> Any:
    """What a downstream block gets for these outputs of one upstream block."""
    items = [_read(output, root) for output in outputs]
    return items[0] if len(items) == 1 else items


def read_input(given: Input, root: Path) -> Any:
    """What a block gets of one upstream step."""
    if given.is_list:
        return [read_value(part, root) for part in given.parts]
    if given.item is None:
        return read_value(given.parts[0], root)
    items = _read(given.parts[0][0], root)
    return items.iloc[[given.item]] if hasattr(items, "iloc") else items[given.item]


def read_item_metadata(given: Input, root: Path) -> dict[str, Any]:
    """What a dynamic block said about the item, beside its key."""
    if given.item is None or len(given.parts[0]) < 2:
        return {}
    described = _read(given.parts[0][1], root)
    own = described[given.item] if isinstance(described, list) else None
    return {k: v for k, v in own.items() if k != "block_uuid"} if isinstance(own, dict) else {}


def sample(output: Output, root: Path, limit: int = 10) -> dict[str, Any]:
    """A JSON-safe view: `columns` and up to `limit` `rows` with `shape`, or `text`."""
    if output.kind == "table":
        return _sample_table(output, root, limit)
    value = _read(output, root)
    records = [value] if isinstance(value, dict) else value
    if isinstance(records, list) and records and all(isinstance(r, dict) for r in records):
        columns = list(dict.fromkeys(str(key) for record in records for key in record))
        rows = [
            [_json_safe({str(k): v for k, v in record.items()}.get(name)) for name in columns]
            for record in records[:limit]
        ]
        shape = [len(records), len(columns)]
        return {"columns": columns, "rows": rows, "shape": shape, "text": None}
    text = value if isinstance(value, str) else values.dumps(_json_safe(value))
    return {"columns": None, "rows": None, "shape": None, "text": text[:_MAX_TEXT]}


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        return [value]
    if len(value) <= MAX_ITEMS or any(tables.is_table(item) for item in value):
        return list(value)
    return [list(value)]


def _write(value: Any, name: str, folder: Path, prefix: str) -> Output:
    if tables.is_table(value):
        table = tables.to_arrow(value)
        path = folder / f"{name}.arrow"
        with write_aside(path) as file:
            tables.write(table, file)
        columns = len(tables.data_columns(table.schema))
        size = path.stat().st_size
        return Output(name, "table", f"{prefix}/{path.name}", size, table.num_rows, columns)
    content = values.dumps(value, tables.to_bytes).encode("utf-8", "surrogatepass")
    path = folder / f"{name}.json"
    with write_aside(path) as file:
        file.write(content)
    kind: Kind = "text" if isinstance(value, str) else "json"
    return Output(name, kind, f"{prefix}/{path.name}", len(content))


def _read(output: Output, root: Path) -> Any:
    with _open(root / output.path) as file:
        if output.kind == "table":
            return tables.from_arrow(tables.read(file))
        return values.loads(file.read(), tables.from_bytes)


def _open(path: Path) -> BinaryIO:
    # Blocks write into this folder: a link or a pipe in a file's place is not followed.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path.name} is not a regular file.")
    return os.fdopen(descriptor, "rb")


def _sample_table(output: Output, root: Path, limit: int) -> dict[str, Any]:
    with _open(root / output.path) as file:
        reader = ipc.open_file(file)
        schema = reader.schema
        batches = [reader.get_batch(0)] if reader.num_record_batches else []
        head = pa.Table.from_batches(batches, schema).slice(0, limit)
    note = tables.note_of(schema)
    stored = tables.data_columns(schema)
    names = [str(n) for n in values.loads(note["columns"])] if "columns" in note else stored
    if note.get("frame") == "series":
        names = [str(values.loads(note["name"]) or "value")]
    as_json = set(note.get("json", ()))
    columns = []
    for name in stored:
        column = head.column(name).to_pylist()
        if name in as_json:
            column = [values.loads(text, tables.from_bytes) for text in column]
        columns.append([_json_safe(item) for item in column])
    rows = [list(row) for row in zip(*columns, strict=True)]
    shape = [output.rows, output.columns]
    return {"columns": names, "rows": rows, "shape": shape, "text": None}


def _json_safe(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value[:_MAX_TEXT].hex()
    if isinstance(value, dict):
        return {str(key): _json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json_safe(item) for item in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return _json_safe(value.tolist())
    return str(value)[:_MAX_TEXT]
