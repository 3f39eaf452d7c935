"""However many leads there are, a page of them reads about as many rows as it shows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from starlette.applications import Starlette

from app.access.identify import by_token
from app.content import tables as content
from app.core import db
from app.core.rules import Subject
from app.graphql.documents import prepare
from app.graphql.limits import GraphQLSettings
from tests.factories import rows
from tests.graphql.compiler import test_scans
from tests.graphql.compiler.test_scans import MOST, rows_read
from tests.rest_compat.test_tiers import READS, SCHEMA

LEADS = 20_000
ARCHIVE = f"""
INSERT INTO lead_groups (project_id, title) SELECT {{project}}, 'g' || n FROM generate_series(1, 500) n;
INSERT INTO organizations (title) SELECT 'o' || n FROM generate_series(1, 20) n;
INSERT INTO leads (project_id, title, text, url, url_key, source_type, lead_group_id, updated_at)
  SELECT {{project}}, 'lead ' || n, 'some words ' || n, 'https://x.org/' || n / 2, 'x.org/' || n / 2,
    (ARRAY['website', 'text', 'disk'])[1 + n % 3], (SELECT min(id) FROM lead_groups) + n % 500,
    timestamptz '2026-03-01 00:00:00+00' + n * interval '7 s'
  FROM generate_series(1, {LEADS}) n;
INSERT INTO lead_authors (lead_id, organization_id)
  SELECT id, (SELECT min(id) FROM organizations) + id % 20 FROM leads
"""
PAGES = {
    "of all projects": "{ leads(first: 20) { nodes { id duplicateNumbers duplicateCount } } }",
    "of duplicates": "{ leads(first: 20, where: {hasDuplicates: true}) { nodes { id } } }",
    "of words": '{ leads(first: 20, where: {search: "words -lead"}) { nodes { id } } }',
    "of a group": "{ leads(first: 20, where: {leadGroupNumber: {eq: 5}}) { nodes { id } } }",
}


@pytest_asyncio.fixture(scope="module")
async def archive(app: Starlette) -> AsyncIterator[Any]:
    """A plain connection to a database with many leads, all of one project."""
    project = await rows.project()
    async with db.reading() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute(ARCHIVE.format(project=project))
        await raw.execute("VACUUM ANALYZE")
        await raw.execute("SET plan_cache_mode = force_generic_plan; SET jit = off")
        yield raw
        await raw.execute("RESET ALL")


@pytest_asyncio.fixture(scope="module")
async def member(archive: object) -> Subject:
    """Who may read all of them."""
    async with db.engine().connect() as connection:
        project = int(await connection.scalar(text("SELECT max(project_id) FROM leads")) or 0)
    user = await rows.user()
    await rows.member(project, user, "viewer")
    return await by_token((await rows.session(user)).token)


@pytest.fixture(autouse=True)
def _growing(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {content.leads, content.lead_authors, content.lead_groups, content.attachments}
    monkeypatch.setattr(test_scans, "GROWING", tables)


@pytest.mark.parametrize("which", PAGES)
async def test_a_page_looks_at_few_leads(archive: Any, member: Subject, which: str) -> None:
    operation = prepare(SCHEMA, PAGES[which], GraphQLSettings()).operation(None)
    assert await rows_read(archive, SCHEMA, operation, member) < MOST


@pytest.mark.parametrize("name", ["deep/LeadDetail", "deep/LeadGroupDetail", "deep/FileDetail"])
async def test_a_lead_looks_at_few_others(archive: Any, member: Subject, name: str) -> None:
    assert await rows_read(archive, SCHEMA, READS[name], member) < MOST
