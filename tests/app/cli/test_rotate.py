"""`isthmus secret rotate`: all that is sealed opens with the new key alone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from app.access import installation
from app.access.installation import keys
from app.cli._rotate import PLACES, rotate
from app.core import db
from app.core.crypto import KeyRing
from app.core.rules import SYSTEM
from app.ingestion.secrets import opened, with_secrets
from app.ingestion.tables import sync_sources
from app.pipelines.actions.files import FileText, set_file
from app.pipelines.actions.secrets import set_secret
from tests.factories import rows

NEW = KeyRing.parse(KeyRing.generate().replace("k1:", "k2:"))


@pytest.fixture
def rings(app: Starlette) -> Iterator[None]:
    """Puts the process's ring back."""
    before = keys().ring
    yield
    keys().ring = before


async def test_everything_opens_with_the_new_key_alone(app: Starlette, rings: None) -> None:
    project = await rows.project()
    await set_secret(SYSTEM, project, "token", "a value")
    for content in ("first", "second"):
        await set_file(SYSTEM, project, "io_config.yaml", FileText(content, True))
    source = await rows.sync_end("source", project)
    await rows.sync_end("destination", project)
    old_handle = (await rows.values_of(sync_sources, source))["shown_config"]["password"]
    both = KeyRing((*NEW.keys, *keys().ring.keys))
    keys().ring = both
    assert "sealed anew" in await rotate()
    assert (await rotate()).startswith("0 values")
    async with db.transaction(SYSTEM) as tx:
        kept = await with_secrets(tx, {"password": old_handle}, project)
    assert kept == {"password": rows.POSTGRES["password"]}
    keys().ring = NEW
    seen = set()
    async with db.reading() as connection:
        for one in PLACES:
            for row in (await connection.execute(select(one.table))).mappings():
                if row[one.column]:
                    NEW.open(row[one.column], one.place(row))
                    seen.add(one.table.name)
    assert seen >= {one.table.name for one in PLACES} - {"installation"}
    row = await rows.values_of(sync_sources, source)
    assert opened(row, "source") == rows.POSTGRES
    async with db.transaction(SYSTEM) as tx:
        config = await with_secrets(tx, row["shown_config"], project)
    assert config == rows.POSTGRES
    assert installation.keys().ring is NEW
