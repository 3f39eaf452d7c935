"""Old snapshots and files that nothing names go, once a day; what is needed, or others', stays."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.workers.sync.kills import kill_at
from tests.workers.sync.rig import Line, Rig
from tests.workers.sync.test_changes import session
from workers.connectors import registry
from workers.connectors.base import Table
from workers.connectors.iceberg_io import Files

ONE = Table("public.one", "job_db_public", "one", ())
NOW = datetime.now(UTC)
MAKE = "CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one SELECT i, 'a' FROM generate_series(1, 9) i"


def tidy(rig: Rig, scratch: Path, days: float, **writer: Any) -> None:
    """Do the upkeep as it would be done so many days from now."""
    to = rig.iceberg
    to["config"]["writer"] |= writer
    with ExitStack() as stack:
        made = session(rig, stack, scratch, 100)
        destination: Any = registry.destination(to["type"], made, to["config"])
        destination.open()
        stack.callback(destination.close)
        destination.tidy(ONE, NOW + timedelta(days=days))


def on_disk(rig: Rig, ending: str = ".parquet") -> set[str]:
    return {str(path) for path in (rig.data_root / "lake").rglob(f"*{ending}")}


def named(rig: Rig) -> set[str]:
    """Data files of the table's current snapshot."""
    tasks = rig.iceberg_table("one").scan().plan_files()
    return {task.file.file_path.removeprefix("file://") for task in tasks}


def snapshots(rig: Rig) -> int:
    return len(rig.iceberg_table("one").metadata.snapshots)


async def three_syncs(rig: Rig) -> list[Line]:
    """A table after a load and two changes, and the files of a sync that was killed."""
    await rig.sql.execute(MAKE)
    streams = await rig.streams("one", mode="incremental", cursor="id")
    await rig.sync(rig.iceberg, streams)
    for change in ("UPDATE one SET v = 'b'", "INSERT INTO one VALUES (10, 'c')"):
        await rig.sql.execute(change)
        await rig.sync(rig.iceberg, streams)
    await rig.sql.execute("INSERT INTO one VALUES (11, 'd')")
    assert (await kill_at(rig, rig.iceberg, streams, "write")).killed
    return streams


async def test_what_is_old_goes_and_the_rest_stays(rig: Rig, tmp_path: Path) -> None:
    streams = await three_syncs(rig)
    before = on_disk(rig)
    assert before > named(rig) and snapshots(rig) == 3
    location = Path(rig.iceberg_table("one").location().removeprefix("file://"))
    for folder in (location, location / "data"):
        (folder / "theirs.parquet").write_text("theirs")
    # Not before a day has gone by, not while the files are young, not against the settings.
    tidy(rig, tmp_path / "s", 0.5)
    tidy(rig, tmp_path / "s", 2)
    tidy(rig, tmp_path / "s", 2.5)
    tidy(rig, tmp_path / "s", 30, expire_snapshots_after_days=0)
    tidy(rig, tmp_path / "s", 30, catalog_type="jdbc", expire_snapshots_after_days=60)
    assert snapshots(rig) == 3 and on_disk(rig) >= named(rig)
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 1
    rows = sorted(rig.iceberg_rows("one", "id, v"))
    tidy(rig, tmp_path / "s", 40)
    assert snapshots(rig) == 1
    theirs = {path for path in on_disk(rig) if path.endswith("theirs.parquet")}
    assert len(theirs) == 2 and on_disk(rig) - theirs == named(rig)
    table = rig.iceberg_table("one")
    manifests = {m.manifest_path for m in table.current_snapshot().manifests(table.io)}
    lists = {table.current_snapshot().manifest_list}
    assert on_disk(rig, ".avro") == {name.removeprefix("file://") for name in manifests | lists}
    assert sorted(rig.iceberg_rows("one", "id, v")) == rows and len(rows) == 11
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 0, "the position is there"


async def test_the_newest_sync_stays_below_what_others_have_written(
    rig: Rig, tmp_path: Path
) -> None:
    streams = await three_syncs(rig)
    table = rig.iceberg_table("one")
    for _ in range(2):
        table.append(table.scan().to_arrow().slice(0, 1))
    tidy(rig, tmp_path / "s", 40)
    assert snapshots(rig) == 3 and on_disk(rig) == named(rig)
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 1
    table.refresh()
    with table.transaction() as transaction:
        transaction.set_properties({"gc.enabled": "false"})
    tidy(rig, tmp_path / "s", 80)
    assert snapshots(rig) == 4


async def test_nothing_is_removed_where_names_do_not_agree(
    rig: Rig, tmp_path: Path, monkeypatch: Any
) -> None:
    await three_syncs(rig)
    before = on_disk(rig)
    listed = Files.under
    monkeypatch.setattr(
        Files,
        "under",
        lambda io, folder: (
            (n.replace("isthmus-7-", "isthmus-7_"), at) for n, at in listed(io, folder)
        ),
    )
    tidy(rig, tmp_path / "s", 40)
    assert on_disk(rig) == before
