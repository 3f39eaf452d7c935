"""Data frames as Arrow tables and back: index, column names and dtypes survive.

Arrow alone changes some frames: object columns become other types, lists come back as arrays,
names that are no text become text. What it would change is noted in the schema's metadata under
`isthmus` and undone on reading.
"""

import json
import sys
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from workers.pipelines import values
from workers.pipelines.values import UnsupportedValue

_NOTE = b"isthmus"
# Object columns of these kinds have a faithful Arrow type; all others are stored as JSON text.
_NATIVE = frozenset(
    {"string", "bytes", "decimal", "date", "time", "boolean", "integer", "floating"}
)
_BATCH_ROWS = 65_536


def is_table(value: Any) -> bool:
    """Whether a value is a data frame or a series of pandas or Polars, or an Arrow table."""
    if isinstance(value, (pd.DataFrame, pd.Series, pa.Table)):
        return True
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(
        value, (polars.DataFrame, polars.LazyFrame, polars.Series)
    )


def to_arrow(value: Any) -> pa.Table:
    """An Arrow table that `from_arrow` turns back into `value` (a lazy frame is collected)."""
    if isinstance(value, pd.Series):
        note = {"frame": "series", "name": values.dumps(value.name)}
        return _pandas_to_arrow(value.to_frame(name="value"), note)
    if isinstance(value, pd.DataFrame):
        return _pandas_to_arrow(value, {"frame": "pandas"})
    if isinstance(value, pa.Table):
        return _noted(value, {"frame": "arrow"})
    polars = sys.modules["polars"]
    if isinstance(value, polars.LazyFrame):
        value = value.collect()
    if isinstance(value, polars.Series):
        note = {"frame": "polars_series", "name": values.dumps(value.name)}
        return _noted(value.to_frame().to_arrow(), note)
    return _noted(value.to_arrow(), {"frame": "polars"})


def from_arrow(table: pa.Table) -> Any:
    """The value that `to_arrow` was given."""
    note = note_of(table.schema)
    kind = note.get("frame", "pandas")
    if kind == "arrow":
        metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != _NOTE}
        return table.replace_schema_metadata(metadata or None)
    if kind.startswith("polars"):
        import polars  # type: ignore[import-not-found,unused-ignore]

        frame = polars.from_arrow(table)
        return frame.to_series() if kind == "polars_series" else frame
    frame = _arrow_to_pandas(table, note)
    if kind == "series":
        return frame["value"].rename(values.loads(note["name"]))
    return frame


def write(table: pa.Table, sink: Any) -> None:
    """Write a table as an Arrow IPC file with zstd, in batches of 65 536 rows."""
    options = ipc.IpcWriteOptions(compression="zstd")
    with ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=_BATCH_ROWS)


def read(source: Any) -> pa.Table:
    """The whole table of an Arrow IPC file."""
    return ipc.open_file(source).read_all()


def to_bytes(value: Any) -> bytes | None:
    """A frame as the bytes of an Arrow IPC file; None for what is no frame."""
    if not is_table(value):
        return None
    sink = pa.BufferOutputStream()
    write(to_arrow(value), sink)
    return bytes(sink.getvalue().to_pybytes())


def from_bytes(content: bytes) -> Any:
    """The frame that `to_bytes` wrote."""
    return from_arrow(read(pa.BufferReader(content)))


def note_of(schema: pa.Schema) -> dict[str, Any]:
    """What was noted beside the table: kind of frame, columns that need undoing."""
    text = (schema.metadata or {}).get(_NOTE)
    return json.loads(text) if text else {}


def data_columns(schema: pa.Schema) -> list[str]:
    """Names of the columns that hold data rather than a pandas index."""
    pandas_note = (schema.metadata or {}).get(b"pandas")
    stored = json.loads(pandas_note)["index_columns"] if pandas_note else []
    index = {name for name in stored if isinstance(name, str)}
    return [name for name in schema.names if name not in index]


def _noted(table: pa.Table, note: dict[str, Any]) -> pa.Table:
    metadata = {**(table.schema.metadata or {}), _NOTE: json.dumps(note).encode()}
    return table.replace_schema_metadata(metadata)


def _pandas_to_arrow(frame: pd.DataFrame, note: dict[str, Any]) -> pa.Table:
    names = list(frame.columns)
    if len(set(names)) != len(names) or not all(type(name) is str for name in names):
        note["columns"] = values.dumps(names)
        note["levels"] = values.dumps(list(frame.columns.names))
        frame = frame.set_axis(_unique([str(name) for name in names]), axis=1)
    if frame.index.nlevels == 1 and frame.index.dtype == object:
        note["object_index"] = True
    freq = getattr(frame.index, "freqstr", None)
    if freq and isinstance(frame.index, pd.DatetimeIndex):
        note["freq"] = freq
    replaced: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype != object:
            continue
        if _has_arrow_type(column):
            note.setdefault("object", []).append(name)
        else:
            note.setdefault("json", []).append(name)
            texts = [values.dumps(item, to_bytes) for item in column]
            replaced[name] = pd.Series(texts, index=frame.index, dtype="str")
    if replaced:
        frame = frame.assign(**replaced)
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UnsupportedValue(f"The DataFrame cannot be stored: {error}") from None
    return _noted(table, note)


def _has_arrow_type(column: pd.Series) -> bool:
    if pd.api.types.infer_dtype(column, skipna=True) not in _NATIVE:
        return False
    # NaN, NaT and NA among objects would all come back as None.
    if int(column.isna().sum()) != sum(item is None for item in column):
        return False
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    sample = next((item for item in column if item is not None), None)
    return type(array.drop_null()[0].as_py()) is type(sample) if len(array.drop_null()) else True


def _arrow_to_pandas(table: pa.Table, note: dict[str, Any]) -> pd.DataFrame:
    frame = table.to_pandas()
    for name in note.get("object", ()):
        frame[name] = _objects(table.column(name).to_pylist(), frame.index)
    for name in note.get("json", ()):
        read_back = [values.loads(text, from_bytes) for text in table.column(name).to_pylist()]
        frame[name] = _objects(read_back, frame.index)
    if note.get("object_index"):
        frame.index = frame.index.astype(object)
    if "freq" in note:
        frame.index.freq = note["freq"]
    if "columns" in note:
        frame.columns = _columns(values.loads(note["columns"]), values.loads(note["levels"]))
    return frame


def _columns(names: list[Any], levels: list[Any]) -> pd.Index:
    if len(levels) > 1:
        return pd.MultiIndex.from_tuples(names, names=levels)
    return pd.Index(names, name=levels[0], tupleize_cols=False)


def _objects(items: list[Any], index: pd.Index) -> pd.Series:
    series = pd.Series([None] * len(items), index=index, dtype=object)
    for position, item in enumerate(items):
        series.iat[position] = item
    return series


def _unique(names: list[str]) -> list[str]:
    taken: set[str] = set()
    for position, name in enumerate(names):
        while name in taken:
            name = f"{name}_{position}"
        taken.add(name)
        names[position] = name
    return names
