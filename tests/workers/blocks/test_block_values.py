"""Values of every kind keep their type and content from one block to the next."""

import math
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from app.core.files import Storage
from workers.pipelines import hand_over
from workers.pipelines.values import UnsupportedValue, dumps, loads


def through(value: Any, root: Path) -> Any:
    folder = Storage(root).step_folder("run", "step", 1)
    return hand_over.read_value(hand_over.write_outputs(value, folder, root), root)


def sampled(value: Any, root: Path, limit: int = 10) -> dict[str, Any]:
    folder = Storage(root).step_folder("run", "step", 1)
    return hand_over.sample(hand_over.write_outputs(value, folder, root)[0], root, limit)


PLAIN = [
    {"a": 1, "b": [1.5, "x", None, True]},
    "text with \x00, \ud800 and ünïcode",
    "",
    0,
    2**200,
    -0.0,
    math.inf,
    True,
    {"$date": "a user's own key"},
    {"$dict": [], "other": 1},
    {1: "int key", (2, "x"): "tuple key", None: "none key"},
    {"nested": {"tuple": (1, (2, 3)), "set": {1, 2}, "frozen": frozenset({"a"})}},
    {"d": Decimal("1.50"), "b": b"\x00\xff", "ba": bytearray(b"x"), "c": 1 + 2j},
    {"at": datetime(2026, 1, 2, 3, 4, 5, 6), "day": date(2026, 1, 2), "t": time(3, 4)},
    {"utc": datetime(2026, 1, 2, tzinfo=UTC)},
    {"off": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30)))},
    {"span": timedelta(days=-1, microseconds=3), "id": UUID(int=7)},
    {"a": [{"b": 1}, {"c": 2}]},
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:40])
def test_value_arrives_as_it_is(value: Any, tmp_path: Path) -> None:
    arrived = through(value, tmp_path)
    assert arrived == value
    assert repr(arrived) == repr(value)
    assert type(arrived) is type(value)


def test_nan_arrives_as_nan(tmp_path: Path) -> None:
    assert math.isnan(through(math.nan, tmp_path))


def test_zone_of_a_datetime_survives(tmp_path: Path) -> None:
    moment = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    arrived = through({"at": moment}, tmp_path)["at"]
    assert arrived == moment
    assert arrived.utcoffset() == moment.utcoffset()
    assert arrived.tzinfo.key == "Europe/Berlin"


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5),
        np.int64(3),
        np.bool_(True),
        np.datetime64("2026-01-02T03:04:05", "s"),
        np.arange(6, dtype="int16").reshape(2, 3),
        np.array(["a", "bc"]),
        np.array([1, "x", [2, 3]], dtype=object),
        np.zeros((0, 3)),
        np.array(5),
    ],
    ids=repr,
)
def test_numpy_value_arrives_with_its_dtype(value: Any, tmp_path: Path) -> None:
    arrived = through({"v": value}, tmp_path)["v"]
    assert type(arrived) is type(value)
    assert arrived.dtype == value.dtype
    np.testing.assert_array_equal(arrived, value)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2026-01-02T03:04:05.123456789"),
        pd.Timestamp("2026-10-25 01:30", tz="Europe/Berlin"),
        pd.Timestamp("2026-01-02").as_unit("s"),
        pd.Timedelta("1 days 00:00:01.5"),
    ],
    ids=repr,
)
def test_pandas_moment_arrives_with_its_unit(value: Any, tmp_path: Path) -> None:
    arrived = through({"v": value}, tmp_path)["v"]
    assert arrived == value
    assert type(arrived) is type(value)
    assert arrived.unit == value.unit


def test_missing_values_of_pandas_arrive_as_themselves(tmp_path: Path) -> None:
    arrived = through({"nat": pd.NaT, "na": pd.NA}, tmp_path)
    assert arrived["nat"] is pd.NaT
    assert arrived["na"] is pd.NA


def test_subclasses_arrive_as_their_plain_type(tmp_path: Path) -> None:
    class Text(str):
        pass

    arrived = through({"t": Text("x"), "d": OrderedDict(a=1)}, tmp_path)
    assert arrived == {"t": "x", "d": {"a": 1}}
    assert type(arrived["t"]) is str


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        ({"deep": [lambda: 1]}, "function"),
        ((x for x in [1]), "generator"),
        (Colour.RED, "Colour"),
        (Path("/tmp"), "PosixPath"),
    ],
    ids=["object", "function", "generator", "enum", "path"],
)
def test_value_that_is_no_data_is_refused_by_name(value: Any, named: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedValue, match=named):
        through(value, tmp_path)


def test_value_that_contains_itself_is_refused(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(UnsupportedValue, match="contains itself"):
        through(loop, tmp_path)


@pytest.mark.parametrize(
    ("returned", "arrives", "stored"),
    [
        (None, [], 0),
        ([], [], 0),
        ([1, 2, 3], [1, 2, 3], 3),
        ((1, 2), [1, 2], 2),
        ([[1, 2, 3]], [1, 2, 3], 1),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}], 2),
        ([None, 1], [None, 1], 2),
        ({"a": 1}, {"a": 1}, 1),
        (list(range(1000)), list(range(1000)), 1),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_list_is_stored_by_item_and_arrives_as_one_list(
    returned: Any, arrives: Any, stored: int, tmp_path: Path
) -> None:
    folder = Storage(tmp_path).step_folder("run", "step", 1)
    outputs = hand_over.write_outputs(returned, folder, tmp_path)
    assert [output.name for output in outputs] == [f"output_{i}" for i in range(stored)]
    assert hand_over.read_value(outputs, tmp_path) == arrives
    files = {path.name for path in folder.iterdir()}
    assert files == {Path(output.path).name for output in outputs}


FRAMES = {
    "plain": pd.DataFrame({"i": [1, 2], "f": [1.5, None], "s": ["a", None], "b": [True, False]}),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="int32"), "b": pd.Series([], dtype="str")}),
    "index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "multi index": pd.DataFrame(
        {"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "n"])
    ),
    "range index": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2)),
    "time index": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2026-01-01", periods=2)),
    "object index": pd.DataFrame({"a": [1]}, index=pd.Index(["x"], dtype=object)),
    "categories": pd.DataFrame({"c": pd.Categorical(["a", "b", "a"], ["b", "a", "z"], True)}),
    "nullable": pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": pd.array(["x", None], dtype="string"),
        }
    ),
    "times": pd.DataFrame(
        {
            "naive": pd.to_datetime(["2026-01-01", None]),
            "zone": pd.to_datetime(["2026-01-01", "2026-06-01"]).tz_localize("Europe/Berlin"),
            "seconds": pd.to_datetime(["2026-01-01", None]).astype("datetime64[s]"),
            "delta": pd.to_timedelta(["1s", None]),
        }
    ),
    "small types": pd.DataFrame({"a": np.array([1], "int8"), "b": np.array([1], "float32")}),
    "periods": pd.DataFrame({"p": pd.period_range("2026-01", periods=2, freq="M")}),
    "integer names": pd.DataFrame([[1, 2]], columns=[0, 1]),
    "mixed names": pd.DataFrame([[1, 2, 3]], columns=[0, "a", ("b", 1)]),
    "same names": pd.DataFrame([[1, 2, 3]], columns=["a", "a", "a_1"]),
    "name levels": pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])
    ),
    "named columns": pd.DataFrame([[1]], columns=pd.Index(["a"], name="kinds")),
    "objects": pd.DataFrame(
        {
            "text": pd.Series(["a", None], dtype=object),
            "nan": pd.Series(["a", np.nan], dtype=object),
            "mixed": pd.Series([1, "a"], dtype=object),
            "ints": pd.Series([1, None], dtype=object),
            "big": pd.Series([2**80, 1], dtype=object),
            "dicts": pd.Series([{"a": 1}, {"b": 2}], dtype=object),
            "lists": pd.Series([[1, 2], []], dtype=object),
            "dates": pd.Series([date(2026, 1, 2), None], dtype=object),
            "moments": pd.Series([datetime(2026, 1, 2), datetime(9999, 1, 1)], dtype=object),
            "decimals": pd.Series([Decimal("1.5"), None], dtype=object),
            "sets": pd.Series([{1}, set()], dtype=object),
            "bytes": pd.Series([b"x", None], dtype=object),
            "nothing": pd.Series([None, None], dtype=object),
        }
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frame_arrives_with_index_names_and_dtypes(name: str, tmp_path: Path) -> None:
    frame = FRAMES[name]
    arrived = through(frame, tmp_path)
    assert_frame_equal(arrived, frame, check_column_type=len(frame.columns) > 0)
    for column in range(len(frame.columns)):
        if frame.dtypes.iloc[column].kind == "O" and isinstance(
            frame.dtypes.iloc[column], np.dtype
        ):
            before = [type(item) for item in frame.iloc[:, column]]
            assert [type(item) for item in arrived.iloc[:, column]] == before


def test_series_and_arrow_table_arrive_as_themselves(tmp_path: Path) -> None:
    series = pd.Series([1, 2], name=("a", 1), index=["x", "y"])
    assert_series_equal(through(series, tmp_path), series)
    table = pa.table({"a": [1, 2], "b": [[1], None]}, metadata={"own": "note"})
    arrived = through(table, tmp_path)
    assert arrived.equals(table, check_metadata=True)


def test_frames_inside_lists_and_dicts_arrive(tmp_path: Path) -> None:
    frame = FRAMES["plain"]
    listed = through([frame, {"n": 1}, frame], tmp_path)
    assert_frame_equal(listed[2], frame)
    assert listed[1] == {"n": 1}
    assert_frame_equal(through({"train": frame}, tmp_path)["train"], frame)


def test_frame_that_cannot_be_stored_is_refused_with_its_column(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedValue, match="object"):
        through(pd.DataFrame({"odd": [object()]}), tmp_path)
    with pytest.raises(UnsupportedValue, match="odd"):
        through(pd.DataFrame({"odd": np.array([1j])}), tmp_path)


def test_output_tells_rows_columns_and_bytes(tmp_path: Path) -> None:
    folder = Storage(tmp_path).step_folder("run", "step", 7)
    frame = FRAMES["index"]
    table, text, other = hand_over.write_outputs([frame, "abc", 5], folder, tmp_path)
    assert (table.kind, table.rows, table.columns) == ("table", 2, 1)
    assert table.path == "runs/run/step/7/output_0.arrow"
    assert table.bytes == (folder / "output_0.arrow").stat().st_size
    assert (text.kind, text.rows, other.kind) == ("text", None, "json")


def test_sample_of_a_table_is_its_head_with_the_full_shape(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(100), "b": [float("nan")] * 100}, index=range(100, 200))
    assert sampled(frame, tmp_path, 2) == {
        "columns": ["a", "b"],
        "rows": [[0, None], [1, None]],
        "shape": [100, 2],
        "text": None,
    }


def test_sample_holds_only_what_json_can_carry(tmp_path: Path) -> None:
    for frame in FRAMES.values():
        shown = sampled(frame, tmp_path)
        assert loads(dumps(shown)) == shown
        assert len(shown["columns"]) == len(frame.columns)
        assert all(len(row) == len(frame.columns) for row in shown["rows"])


def test_sample_of_dicts_is_a_table_and_of_others_a_text(tmp_path: Path) -> None:
    as_table = {"columns": ["a", "b"], "rows": [[1, "x"]], "shape": [1, 2], "text": None}
    assert sampled({"a": 1, "b": "x"}, tmp_path) == as_table
    assert sampled([[{"a": 1}, {"b": 2}]], tmp_path)["rows"] == [[1, None], [None, 2]]
    assert sampled("hello", tmp_path)["text"] == "hello"
    assert sampled(5, tmp_path)["text"] == "5"
    assert sampled([[1, Decimal(2)]], tmp_path)["text"] == '[1,"2"]'


def test_link_in_place_of_an_output_is_not_followed(tmp_path: Path) -> None:
    folder = Storage(tmp_path).step_folder("run", "step", 1)
    outputs = hand_over.write_outputs("x", folder, tmp_path)
    (tmp_path / "secret").write_text('"canary"')
    (folder / "output_0.json").unlink()
    (folder / "output_0.json").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        hand_over.read_value(outputs, tmp_path)
