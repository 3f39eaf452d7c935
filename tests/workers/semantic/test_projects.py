"""Two projects whose jobs write below one data root: neither's model reads what the other's wrote."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
import pytest_asyncio
from pyiceberg.catalog.sql import SqlCatalog
from starlette.applications import Starlette

from app.core.outgoing import Outgoing
from tests.factories import rows
from tests.workers.sync.rig import Line, Rig
from workers.semantic.base import QueryError
from workers.semantic.duck import DuckProcesses
from workers.semantic.duck_child import Opened
from workers.semantic.duck_tables import Files
from workers.semantic.places import Places

SHOP = "CREATE TABLE {0} (id int PRIMARY KEY, word text); INSERT INTO {0} VALUES (1, '{1}')"


@pytest_asyncio.fixture
async def places(app: Starlette, rig: Rig, tmp_path: Path) -> AsyncIterator[Places]:
    limits = {"memory_mb": 200, "threads": 2, "data_root": str(rig.data_root)}
    processes = DuckProcesses({**limits, "scratch": str(tmp_path / "scratch")})
    made = Places(Outgoing(), "", processes, 2)
    yield made
    await made.close()


class Project:
    """A project with a job, whose destination is a data source of its model."""

    def __init__(self, rig: Rig, places: Places, line: Line, ids: tuple[int, int]) -> None:
        self._rig, self._places, self._line = rig, places, line
        self._end, self.job = ids

    @classmethod
    async def make(cls, rig: Rig, places: Places, line: Line) -> "Project":
        project = await rows.project()
        end = await rows.sync_end("destination", project, config=line["config"], type=line["type"])
        job = await rows.sync_job(project, destination_id=end)
        return cls(rig, places, line, (end, job))

    async def sync(self, table: str) -> None:
        """Have the job write a table."""
        job = {"id": self.job, "name": "job", "prefix": "job"}
        told = await self._rig.sync(self._line, await self._rig.streams(table), job=job)
        assert told.result, told.lines

    async def asked(self, sql: str) -> Any:
        """The rows of a statement on the destination."""
        engine = await self._places.engine(f"destination:{self._end}:1")
        return orjson.loads((await engine.run(sql, [], 30)).content)["rows"]


@pytest.mark.parametrize("kind", ["parquet", "iceberg"])
async def test_a_model_reads_only_what_jobs_of_its_project_wrote(
    kind: str, rig: Rig, places: Places
) -> None:
    await rig.sql.execute(SHOP.format("mine", "seen") + ";" + SHOP.format("theirs", "secret"))
    line = getattr(rig, kind)
    one, other = [await Project.make(rig, places, line) for _ in range(2)]
    await one.sync("mine")
    await other.sync("theirs")
    assert await one.asked("SELECT word FROM mine") == [["seen"]]
    assert await other.asked("SELECT word FROM theirs") == [["secret"]]
    (secret,) = (str(path) for path in rig.data_root.rglob("*.parquet") if "theirs" in str(path))
    (seen,) = (str(path) for path in rig.data_root.rglob("*.parquet") if "mine" in str(path))
    root = rig.data_root
    steps = f"{seen.rpartition('/')[0]}/{'../' * 12}{secret.lstrip('/')}"
    for path in (secret, f"{root}/**/*.parquet", steps, f"file://{secret}", secret.lstrip("/")):
        with pytest.raises(QueryError, match="Permission"):
            await one.asked(f"SELECT * FROM read_parquet('{path}') -- theirs mine")
    for name in ("theirs", "job_db_public.theirs"):
        with pytest.raises(QueryError, match="does not exist"):
            await one.asked(f"SELECT * FROM {name}")
    assert await one.asked(f"SELECT word FROM read_parquet('{seen}')") == [["seen"]]
    # A table that comes later is read by the process that is open.
    await rig.sql.execute(SHOP.format("later", "new"))
    await one.sync("later")
    assert await one.asked("SELECT mine.word, later.word FROM mine, later") == [["seen", "new"]]


async def test_a_folder_of_another_project_is_not_to_be_had_by_settings(
    rig: Rig, places: Places
) -> None:
    """Also who may change destinations reads no other project's tables through a model."""
    await rig.sql.execute(SHOP.format("theirs", "secret"))
    other = await Project.make(rig, places, rig.parquet)
    await other.sync("theirs")
    for path in (".", "lake", "lake/job_db_public/.."):
        config = {"type": "PARQUET", "writer": {"local_path": path}}
        one = await Project.make(rig, places, {"type": "parquet", "config": config})
        with pytest.raises(QueryError, match="does not exist"):
            await one.asked("SELECT * FROM job_db_public.theirs")
        with pytest.raises(QueryError, match="Permission"):
            await one.asked(
                f"SELECT * FROM read_parquet('{rig.data_root}/lake/*/theirs/*.parquet')"
            )


async def test_a_table_that_another_project_has_taken_over_is_lost(
    rig: Rig, places: Places
) -> None:
    await rig.sql.execute(SHOP.format("shared", "first"))
    one, other = [await Project.make(rig, places, rig.parquet) for _ in range(2)]
    await one.sync("shared")
    assert await one.asked("SELECT word FROM shared") == [["first"]]
    await other.sync("shared")
    # Nor are its files read by a statement that does not name it.
    with pytest.raises(QueryError, match="Permission"):
        hidden = f"'{rig.data_root}/lake/*/sha' || 'red/*.parquet'"
        await one.asked(f"SELECT word FROM read_parquet({hidden})")
    with pytest.raises(QueryError, match="does not exist"):
        await one.asked("SELECT word FROM shared")
    assert await other.asked("SELECT word FROM shared") == [["first"]]


def by_catalog(rig: Rig, name: str, **more: str) -> Line:
    """The Iceberg destination with a catalog of its own, beside the other one's files."""
    line = rig.iceberg
    line["config"]["writer"] |= {"jdbc_url": f"jdbc:sqlite:{name}", **more}
    return line


async def test_two_catalogs_of_one_folder_show_each_project_its_own(
    rig: Rig, places: Places
) -> None:
    await rig.sql.execute(SHOP.format("orders", "secret"))
    other = await Project.make(rig, places, rig.iceberg)
    await other.sync("orders")
    (secret,) = rig.data_root.rglob("*.parquet")
    (avro, *_) = rig.data_root.rglob("*.avro")
    await rig.sql.execute("UPDATE orders SET word = 'seen'")
    one = await Project.make(rig, places, by_catalog(rig, "own.db"))
    await one.sync("orders")
    assert await one.asked("SELECT word FROM orders") == [["seen"]]
    folder = rig.folder("orders")
    for path in (secret, folder / "data/**/*.parquet", folder / "**/*.parquet"):
        with pytest.raises(QueryError, match="Permission"):
            await one.asked(f"SELECT word FROM read_parquet('{path}') -- orders")
    with pytest.raises(QueryError, match="Permission"):
        await one.asked(f"SELECT content FROM read_blob('{avro}') -- orders")
    assert await other.asked("SELECT word FROM orders") == [["secret"]]


@pytest.mark.parametrize("kind", ["parquet", "iceberg"])
async def test_a_table_above_others_shows_none_of_them(kind: str, rig: Rig, places: Places) -> None:
    await rig.sql.execute(SHOP.format("theirs", "secret") + ";" + SHOP.format("above", "seen"))
    one = await Project.make(rig, places, getattr(rig, kind))
    await one.sync("above")
    below = "lake/job_db_public/above"
    line = by_catalog(rig, "own.db", iceberg_s3_path=below) if kind == "iceberg" else rig.parquet
    line["config"]["writer"]["local_path"] = below
    other = await Project.make(rig, places, line)
    await other.sync("theirs")
    assert await one.asked("SELECT word FROM above") == [["seen"]]
    (secret,) = (path for path in rig.data_root.rglob("*.parquet") if "theirs" in str(path))
    with pytest.raises(QueryError, match="Permission"):
        await one.asked(f"SELECT word FROM read_parquet('{secret}') -- above")


async def test_a_folder_that_a_catalog_chose_is_not_read(rig: Rig, places: Places) -> None:
    root = rig.data_root
    await rig.sql.execute(
        SHOP.format("theirs", "secret") + ";" + SHOP.format(f'"{root.name}"', "s")
    )
    other = await Project.make(rig, places, rig.iceberg)
    await other.sync("theirs")
    catalog = SqlCatalog("lake", uri=f"sqlite:///{root / 'own.db'}")
    catalog.create_namespace("job_db_public", {"location": f"file://{root.parent}"})
    one = await Project.make(rig, places, by_catalog(rig, "own.db"))
    await one.sync(root.name)
    for sql in (f'"{root.name}"', f"read_parquet('{root}/lake/*/theirs/data/**/*.parquet')"):
        with pytest.raises(QueryError, match="in another folder than the destination's own"):
            await one.asked(f"SELECT word FROM {sql}")


async def test_a_catalog_names_no_folder_of_the_process(rig: Rig, places: Places) -> None:
    rig.data_root.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{rig.data_root / 'own.db'}")
    catalog.create_namespace("job_db_public", {"location": "."})
    await rig.sql.execute(SHOP.format("mine", "seen"))
    line = by_catalog(rig, "own.db")
    told = await rig.sync(
        line, await rig.streams("mine"), job={"id": "7", "name": "job", "prefix": "job"}
    )
    assert "a location that begins with s3:// or file:///" in told.error


async def test_an_error_tells_nothing_of_a_file_that_a_catalog_names(
    rig: Rig, places: Places
) -> None:
    await rig.sql.execute(SHOP.format("theirs", "secret") + ";" + SHOP.format("mine", "seen"))
    other = await Project.make(rig, places, rig.parquet)
    await other.sync("theirs")
    one = await Project.make(rig, places, rig.iceberg)
    await one.sync("mine")
    manifest = f"file://{rig.folder('theirs')}/_manifest.json"
    with sqlite3.connect(rig.data_root / "catalog.db") as catalog:
        catalog.execute("UPDATE iceberg_tables SET metadata_location = ?", (manifest,))
    with pytest.raises(QueryError) as told:
        await one.asked("SELECT * FROM mine")
    assert str(told.value) == "What the catalog names is no metadata of a table."


def test_nothing_is_asked_of_what_could_not_be_confined(tmp_path: Path) -> None:
    class Limited:
        limits = {"memory_mb": 100, "threads": 1, "data_root": str(tmp_path)}

        def address(self, host: str, port: int) -> str:
            return host

    config = {"local_path": "lake"}
    opened = Opened(Limited(), tmp_path, {"place": "x", "type": "parquet", "config": config})
    opened.open()
    with pytest.raises(UnicodeEncodeError):
        opened._reopen({("schema", "name"): Files(frozenset({"no text: \ud800"}))})
    assert not opened.is_open
    with pytest.raises(duckdb.ConnectionException):
        opened.con.execute("SELECT 1")
