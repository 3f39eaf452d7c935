"""Changes of a log, as a source with one hands them over: folded, applied, appended."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.workers.sync.rig import Rig
from workers.connectors import duck, registry
from workers.connectors.base import Part, Position, Run, Session, Stream, SyncError
from workers.sync.engine import Sync

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """A source whose log is a list of batches: (op, id, name, note, absent columns)."""

    def __init__(self, session: Session, batches: list[list[tuple[Any, ...]]]) -> None:
        self.session = session
        self.batches = batches
        self.acknowledged: list[dict[str, Position]] = []

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        assert position is None
        rows = "SELECT range AS id, 'n' AS name, 'x' AS \"The Note\" FROM range(3)"
        yield Part(stream, rows, {"lsn": 0})

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        (stream,) = streams
        begun = positions[stream.id]
        if begun is None:
            yield Part(stream, self._relation([]), {"lsn": 0}, op=None)
            return
        for number, batch in enumerate(self.batches, 1):
            if number > begun["lsn"]:
                yield Part(stream, self._relation(batch), {"lsn": number}, op=None)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        self.acknowledged.append(dict(positions))

    def _relation(self, batch: list[tuple[Any, ...]]) -> str:
        ops, ids, names, notes, absent = zip(*batch, strict=True) if batch else ((),) * 5
        table = pa.table(
            {
                "_op_type": pa.array(ops, pa.string()),
                "_cdc_timestamp": pa.array([AT] * len(batch), pa.timestamp("us", "UTC")),
                "_cdc_lsn": pa.array(["0/1"] * len(batch), pa.string()),
                "_order": pa.array(range(len(batch)), pa.int64()),
                "_absent": pa.array(absent, pa.list_(pa.string())),
                "id": pa.array(ids, pa.int64()),
                "name": pa.array(names, pa.string()),
                "The Note": pa.array(notes, pa.string()),
            }
        )
        self.session.duck.register("batch", table)
        return "SELECT * FROM batch"


BATCHES: list[list[tuple[Any, ...]]] = [
    [
        ("u", 0, "a", None, ["The Note"]),
        ("u", 0, "b", None, ["The Note"]),
        ("c", 7, "first", "kept", []),
        ("u", 7, "second", None, ["The Note"]),
        ("d", 1, None, None, []),
    ],
    [("u", 2, "c", None, [])],
]


def session(rig: Rig, stack: ExitStack, scratch: Path, number: int) -> Session:
    scratch.mkdir(exist_ok=True)
    con = stack.enter_context(duck.connect(scratch))

    def refuse(host: str, port: int) -> str:
        raise SyncError("No.")

    run = Run("job", f"run-{number}", number, 1)
    return Session(con, run, rig.data_root, scratch, lambda level, message: None, refuse)


def sync(
    rig: Rig, scratch: Path, to: dict[str, Any], batches: list[Any], number: int, **options: Any
) -> Log:
    stream = Stream(
        "s",
        "one",
        **{"mode": "cdc", "key": ("id",), "database": "job_db:public", "table": "one", **options},
    )
    with ExitStack() as stack:
        made = session(rig, stack, scratch, number)
        destination = registry.destination(to["type"], made, to["config"])
        destination.open()
        log = Log(made, batches)
        Sync(made, log, destination, lambda line: None).run([stream])  # type: ignore[arg-type]
    return log


async def test_upserts_fold_to_the_last_change_and_keep_what_is_absent(
    rig: Rig, tmp_path: Path
) -> None:
    assert sync(rig, tmp_path / "s", rig.postgres, [], 1).acknowledged == [{"s.one": {"lsn": 0}}]
    log = sync(rig, tmp_path / "s", rig.postgres, BATCHES, 2)
    assert log.acknowledged == [{"s.one": {"lsn": 2}}]
    rows = await rig.sql.fetch(
        "SELECT id, _op_type, name, the_note, _cdc_lsn FROM lake.one ORDER BY id NULLS LAST"
    )
    assert [tuple(row) for row in rows] == [
        (0, "u", "b", "x", "0/1"),
        (1, "d", None, None, "0/1"),
        (2, "u", "c", None, "0/1"),
        (7, "u", "second", "kept", "0/1"),
    ]
    stamps = await rig.sql.fetch("SELECT DISTINCT _cdc_timestamp FROM lake.one")
    assert [row[0] for row in stamps] == [AT]


async def test_batches_that_are_committed_do_not_come_again(rig: Rig, tmp_path: Path) -> None:
    sync(rig, tmp_path / "s", rig.parquet, [], 1)
    sync(rig, tmp_path / "s", rig.parquet, BATCHES[:1], 2)
    sync(rig, tmp_path / "s", rig.parquet, BATCHES, 3)
    assert rig.files("one", "count(*), count(*) FILTER (WHERE _op_type = 'r')") == [(9, 3)]
    epoch = rig.files("one", "max(_cdc_timestamp)::VARCHAR AS t, min(_cdc_timestamp)::VARCHAR AS u")
    assert epoch == [("2026-01-01 00:00:00+00", "1970-01-01 00:00:00+00")]


async def test_append_mode_keeps_every_event(rig: Rig, tmp_path: Path) -> None:
    sync(rig, tmp_path / "s", rig.postgres, [], 1, append=True)
    sync(rig, tmp_path / "s", rig.postgres, BATCHES, 2, append=True)
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.one") == 9


async def test_changes_only_begin_now(rig: Rig, tmp_path: Path) -> None:
    sync(rig, tmp_path / "s", rig.postgres, BATCHES, 1, mode="strict_cdc")
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.one") == 0
    sync(rig, tmp_path / "s", rig.postgres, BATCHES, 2, mode="strict_cdc")
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.one") == 4


async def test_without_normalization(rig: Rig, tmp_path: Path) -> None:
    sync(rig, tmp_path / "s", rig.parquet, [], 1, normalization=False)
    sync(rig, tmp_path / "s", rig.parquet, BATCHES, 2, normalization=False)
    assert ('{"id":2,"name":"c","The Note":null}',) in rig.files("one", "data")


def test_duckdb_is_bounded_and_offline(tmp_path: Path) -> None:
    with duck.connect(tmp_path, memory_mb=64, threads=1) as con:
        assert con.execute("SELECT current_setting('memory_limit')").fetchone() == ("61.0 MiB",)
        with pytest.raises(duckdb.Error):
            con.execute("SELECT * FROM read_parquet('https://example.invalid/x.parquet')")
