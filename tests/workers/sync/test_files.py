"""Files as a source: formats, folders, what is new, what must not be reached."""

import gzip
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.workers.sync.rig import Line, Rig
from workers.connectors import files
from workers.connectors.file_places import File


def source(**config: Any) -> Line:
    return {"type": "file", "config": {"path": "in", "file_format": "csv", **config}}


def write(rig: Rig, name: str, content: str | bytes, at: float | None = None) -> Path:
    path = rig.data_root / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if at is not None:
        os.utime(path, (at, at))
    return path


async def configured(rig: Rig, given: Line, mode: str, **selected: Any) -> list[Line]:
    catalog = (await rig.run(do="discover", source=given)).result["catalog"]
    return [
        {
            "stream": {**entry["stream"], "sync_mode": mode, "cursor_field": files.MODIFIED},
            "selected": selected,
        }
        for entry in catalog["streams"]
    ]


async def test_discovery(rig: Rig) -> None:
    write(rig, "sales/2026/a.csv", "id,At\n1,2026-01-01 10:00:00\n")
    write(rig, "sales/b.csv", "id,zip\n2,00123\n")
    write(rig, "parts/a.csv", "x\n1\n")
    write(rig, "outside.csv", "x\n1\n")
    write(rig, "parts/_being_written.csv", "y\n")
    write(rig, ".hidden/a.csv", "y\n")
    told = await rig.run(do="discover", source=source())
    assert "1 files lie in no folder, and so in no stream: they are not read." in told.logs
    streams = {e["stream"]["name"]: e["stream"] for e in told.result["catalog"]["streams"]}
    assert set(streams) == {"sales", "parts"}
    sales = streams["sales"]
    assert sales["namespace"] == "file"
    assert sales["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert sales["sync_mode"] == "incremental"
    assert sales["cursor_field"] == "_last_modified_time"
    types = {name: p["type"][0] for name, p in sales["type_schema"]["properties"].items()}
    assert types["id"] == "integer" and types["zip"] == "string"
    assert types["At"] == types["_last_modified_time"] == "timestamp_micro"


async def test_values_arrive_as_they_are(rig: Rig) -> None:
    """What a look at the first rows would get wrong: later rows of other kinds."""
    plain = "".join(f"{i},{i},{i}\n" for i in range(30_000))
    write(rig, "one/a.csv", f"id,zip,half\n{plain}30000,00123,1.5\n30001,,\n")
    streams = await configured(rig, source(), "full_refresh")
    result = await rig.sync(rig.postgres, streams, source=source())
    assert result.result["rows"] == 30_002
    rows = await rig.sql.fetch("SELECT zip, half FROM lake.one WHERE id >= 30000 ORDER BY id")
    assert [tuple(row) for row in rows] == [("00123", 1.5), (None, None)]


async def test_json_lines(rig: Rig) -> None:
    given = source(file_format="json")
    rows: list[dict[str, Any]] = [
        {"id": 1, "deep": {"a": [1, {"b": None}]}, "day": "2026-01-01T00:00:00+02:00", "v": 1},
        {"id": 2, "big": 12345678901234567890, "v": "x", "u": "ż"},
        {"id": 3, "deep": "text", "yes": True, "half": 0.1},
    ]
    write(rig, "one/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write(rig, "one/b.json.gz", gzip.compress(b'{"id": 4, "new": 7}\n'))
    streams = await configured(rig, given, "full_refresh")
    assert (await rig.sync(rig.postgres, streams, source=given)).result["rows"] == 4
    got = await rig.sql.fetch(
        "SELECT id, deep, day, v, big, u, yes, half, new FROM lake.one ORDER BY id"
    )
    deep = '{"a":[1,{"b":null}]}'
    assert [tuple(row) for row in got] == [
        (1, deep, "2026-01-01T00:00:00+02:00", "1", None, None, None, None, None),
        (2, None, None, "x", 12345678901234567890, "ż", None, None, None),
        (3, "text", None, None, None, None, True, 0.1, None),
        (4, None, None, None, None, None, None, None, 7),
    ]


async def test_parquet(rig: Rig) -> None:
    given = source(file_format="parquet")
    table = pa.table({"id": [1, 2], "l": [[1, None], None], "k=v": ["a", "b"]})
    path = write(rig, "one/day=1/a.parquet", b"")
    pa.parquet.write_table(table, path)
    streams = await configured(rig, given, "full_refresh")
    assert (await rig.sync(rig.parquet, streams, source=given)).result["rows"] == 2
    folder = rig.data_root / "lake/job_file/one"
    named = json.loads((folder / "_manifest.json").read_text())["files"]
    got = pa.parquet.read_table(folder / named[0]["path"]).drop_columns(
        ["_olake_id", "_olake_timestamp", "_op_type", "_last_modified_time"]
    )
    assert got.to_pydict() == {"id": [1, 2], "l": [[1, None], None], "k_v": ["a", "b"]}


async def test_archives_and_options_of_csv(rig: Rig) -> None:
    given = source(
        compression="zip",
        csv={"delimiter": ";", "has_header": False, "skip_rows": 1, "infer_types": False},
    )
    path = write(rig, "one/a.zip", b"")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x.csv", "a remark\n1;'a'\n2;\n")
    streams = await configured(
        rig, source(**given["config"], file_pattern=r"\.zip$"), "full_refresh"
    )
    given["config"]["file_pattern"] = r"\.zip$"
    await rig.sync(rig.postgres, streams, source=given)
    rows = await rig.sql.fetch("SELECT column0, column1 FROM lake.one ORDER BY 1")
    assert [tuple(row) for row in rows] == [("1", "'a'"), ("2", None)]


async def test_only_new_and_changed_files_are_read(rig: Rig) -> None:
    write(rig, "one/a[1]*.csv", "id\n1\n", at=1000)
    write(rig, "one/b.csv", "id\n2\n", at=1000)
    streams = await configured(rig, source(), "incremental")
    assert (await rig.sync(rig.parquet, streams, source=source())).result["rows"] == 2
    assert (await rig.sync(rig.parquet, streams, source=source())).result["rows"] == 0
    # As old as the newest one, older than it, and one that was written anew.
    write(rig, "one/c.csv", "id\n3\n", at=1000)
    write(rig, "one/late.csv", "id\n4\n", at=500)
    write(rig, "one/b.csv", "id\n5\n", at=2000)
    assert (await rig.sync(rig.parquet, streams, source=source())).result["rows"] == 3
    assert (await rig.sync(rig.parquet, streams, source=source())).result["rows"] == 0


async def test_filter_and_selection(rig: Rig) -> None:
    write(rig, "one/a.csv", "id,v,w\n1,a,b\n2,c,d\n")
    conditions = [{"column": "id", "operator": ">", "value": "1"}]
    streams = await configured(
        rig,
        source(),
        "full_refresh",
        selected_columns={"columns": ["v"], "sync_new_columns": False},
        filter_config={"conditions": conditions},
    )
    await rig.sync(rig.postgres, streams, source=source())
    rows = await rig.sql.fetch("SELECT * FROM lake.one")
    assert [row["v"] for row in rows] == ["c"]
    assert not {"id", "w"} & set(rows[0].keys())


async def test_what_lies_elsewhere_is_refused(rig: Rig, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n1\n")
    outside = "The folder must lie below the data folder."
    for path in ("..", "/etc", "in/../.."):
        assert (await rig.run(do="check", source=source(path=path))).error == outside
    write(rig, "one/a.csv", "id\n1\n")
    (rig.data_root / "in/away").symlink_to(tmp_path)
    assert (await rig.run(do="check", source=source(path="in/away"))).error == outside
    assert (await rig.run(do="check", source=source())).result
    (rig.data_root / "in/one/link.csv").symlink_to(secret)
    told = await rig.run(do="check", source=source())
    assert told.error == "The file one/link.csv is a link to elsewhere."


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"file_format": "xml"}, "Files of the format xml are not read here."),
        ({"path": "gone"}, "There is no folder gone below the data folder."),
        ({"compression": "rar"}, "The compression rar is not known."),
    ],
)
async def test_settings(rig: Rig, config: Line, error: str) -> None:
    write(rig, "one/a.csv", "id\n1\n")
    assert (await rig.run(do="check", source=source(**config))).error == error


async def test_a_broken_file_is_named(rig: Rig) -> None:
    write(rig, "one/a.parquet", "no parquet")
    told = await rig.run(do="discover", source=source(file_format="parquet"))
    assert told.error.startswith("The files of one cannot be read. ")


def test_positions_are_bounded_and_nothing_unread_is_passed_over() -> None:
    made = [
        File(f"/{i}", f"one/{i}", datetime.fromtimestamp(i, UTC), 1)
        for i in range(files.NEWEST + 500)
    ]
    late, done = made[10], [file for file in made if file is not made[10]]
    between = files._position(done[:-1], [late, done[-1]])
    assert not files._is_known(late, between) and not files._is_known(done[-1], between)
    assert all(files._is_known(file, between) for file in done[:-1])
    after = files._position(made, [])
    assert len(after["seen"]) == files.NEWEST
    assert all(files._is_known(file, after) for file in made)
