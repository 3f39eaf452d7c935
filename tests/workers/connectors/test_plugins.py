"""A connector of an installed package is found, told to the database, and read from."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core import db
from tests.conftest import Database
from workers.sync.plugins import register_plugins

MODULE = """
from workers.connectors.base import Column, Found, Part, SyncError

class Numbers:
    spec = {"title": "Numbers", "jsonschema": {"type": "object"}, "sync_modes": ["incremental"]}
    def __init__(self, session, config): self.session = session
    def open(self): pass
    def check(self): pass
    def discover(self):
        return [Found("demo", "numbers", (Column("n", "BIGINT", nullable=False),), key=("n",), cursors=("n",))]
    def read(self, stream, position):
        start = (position or {}).get("next", 0)
        rows = f"SELECT range AS n FROM range({start}, {start + 10})"
        yield Part(stream, rows, {"next": start + 10}, "r" if position is None else "u")
    def changes(self, streams, positions): raise SyncError("There is no log.")
    def acknowledge(self, positions): pass
    def close(self): pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package, as pip would have installed it."""
    folder = tmp_path / "site"
    information = folder / "numbers_plugin-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "numbers_plugin.py").write_text(MODULE)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: numbers-plugin\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(
        "[isthmus.sources]\nnumbers = numbers_plugin:Numbers\nbroken = numbers_plugin:Gone\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    return folder


def rows_of(data_root: Path) -> int:
    (manifest,) = data_root.rglob("_manifest.json")
    return sum(file["rows"] for file in json.loads(manifest.read_text())["files"])


async def test_it_is_told_to_the_database(plugin: Path, database: Database) -> None:
    db.connect(database.url, 2)
    try:
        await register_plugins()
        async with db.reading() as connection:
            rows = await connection.execute(
                text(
                    "SELECT title FROM connectors WHERE kind = 'source' AND type IN ('numbers', 'broken')"
                )
            )
            assert rows.scalars().all() == ["Numbers"]
    finally:
        await db.disconnect()


async def test_it_is_read_from(plugin: Path, tmp_path: Path) -> None:
    async def child(**document: object) -> dict[str, object]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.sync.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": f"{plugin}:."},
        )
        whole = {
            "data_root": str(tmp_path),
            "source": {"type": "numbers", "config": {}},
            **document,
        }
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(whole).encode() + b"\n")
        lines = (await process.stdout.read()).splitlines()
        await process.wait()
        result: dict[str, object] = json.loads(lines[-1])["result"]
        return result

    catalog = (await child(do="discover"))["catalog"]
    assert isinstance(catalog, dict)
    stream = catalog["streams"][0]["stream"]
    assert stream["sync_mode"] == "incremental"
    for number in (1, 2):
        result = await child(
            do="sync",
            destination={"type": "parquet", "config": {}},
            streams=[{"stream": stream, "selected": {}}],
            run={"id": "r", "number": number, "fence": 1},
        )
        assert result["rows"] == 10
    assert rows_of(tmp_path) == 20
