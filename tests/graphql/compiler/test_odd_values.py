"""Rows that the schema does not allow, and answers that are too large: both tiers refuse them alike."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from strawberry import Schema

from app.core import db
from app.core.ids import global_id
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.documents import prepare
from app.graphql.execute import GraphQLSettings, Result, execute
from tests.graphql.compiler.test_differential import (
    COMPILED,
    EXECUTED,
    schema,  # noqa: F401  (fixtures)
    shown,
    subjects,  # noqa: F401
)

PROJECT = 900
ROWS = f"""
INSERT INTO projects (id, uuid, name) VALUES ({PROJECT}, 'odd', 'Odd');
INSERT INTO pipelines (id, project_id, uuid, name, type, variables) VALUES
  (3000000000, {PROJECT}, 'far', 'A number of more than 32 bits', 'python', '{{}}'),
  (901, {PROJECT}, 'word', 'A type that is no word of the enum', 'cobol', '{{}}'),
  (902, {PROJECT}, 'null', 'A null of JSON where there must be something', 'python', 'null'),
  (903, {PROJECT}, 'plain', 'Nothing odd', 'python', '{{}}'),
  (904, {PROJECT}, 'long', 'More blocks than a pipeline may have', 'python', '{{}}'),
  (905, {PROJECT}, 'full', 'As many blocks as a pipeline may have', 'python', '{{}}');
INSERT INTO blocks (id, project_id, pipeline_id, uuid, name, type)
  SELECT p * 1000 + n, {PROJECT}, p, 'b' || n, 'b', 'custom'
  FROM (VALUES (904, 501), (905, 500)) AS v (p, most), generate_series(1, most) AS n;
INSERT INTO runs (id, project_id, kind, status, params) VALUES
  ('01900000-0000-7000-8000-000000000b01', {PROJECT}, 'notification', 'failed',
   '{{"event": "trigger_failure", "channel": "email_config", "number": "7"}}'),
  ('01900000-0000-7000-8000-000000000b02', {PROJECT}, 'notification', 'failed', '{{}}'),
  ('01900000-0000-7000-8000-000000000b03', {PROJECT}, 'notification', 'failed',
   '{{"event": "snow", "channel": "pigeon", "number": "3000000000"}}');
"""
ID = global_id("Project", PROJECT)
PIPELINE = f'{{ pipelines(projectId: "{ID}", first: 1, where: {{uuid: {{eq: "%s"}}}}) {{ nodes {{ uuid %s }} }} }}'


def notification(number: int) -> str:
    """The id of one of the notifications."""
    return global_id("NotificationRun", f"01900000-0000-7000-8000-000000000b0{number}")


RUN = '{ run(id: "%s") { status ... on NotificationRun { %s } } me { id } }'
ODD = {
    "a column of more than 32 bits": PIPELINE % ("far", "number"),
    "a word outside its enum": PIPELINE % ("word", "type"),
    "a word outside its enum, in a part": (
        f'{{ node(id: "{global_id("Pipeline", 901)}") {{ id ... on Pipeline {{ type }} }} me {{ id }} }}'
    ),
    "a null of JSON": PIPELINE % ("null", "variables"),
    "a list that is longer than it may be": PIPELINE % ("long", "blocks { uuid }"),
    **{
        f"{what} of notification {n}": RUN % (notification(n), what)
        for n in (2, 3)
        for what in ("event", "channel", "aboutNumber")
    },
}
ORDINARY = {
    "all columns of an ordinary row": PIPELINE % ("plain", "number type variables blocks { uuid }"),
    "a list as long as it may be": PIPELINE % ("full", "blocks { uuid }"),
    "an ordinary notification": RUN % (notification(1), "event channel aboutNumber"),
    "what is odd but not asked for": f'{{ pipelines(projectId: "{ID}") {{ totalCount }} }}',
}


@pytest_asyncio.fixture(scope="module", autouse=True)
async def rows(subjects: list[Subject]) -> AsyncIterator[None]:  # noqa: F811
    """What nothing of ours would write."""
    async with db.reading() as connection:
        for statement in ROWS.split(";\n"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
        await connection.commit()
    yield


async def asked(schema: Schema, text: str, subject: Subject, settings: GraphQLSettings) -> Result:  # noqa: F811
    document = prepare(schema, text, settings)
    context = Context(subject=subject, request_id="test")
    return await execute(schema, document, {}, None, context, settings=settings)


@pytest.mark.parametrize("what", ODD)
async def test_what_the_schema_does_not_allow_is_refused_by_each_tier(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    what: str,
) -> None:
    compiled = await asked(schema, ODD[what], subjects[0], COMPILED)
    executed = await asked(schema, ODD[what], subjects[0], EXECUTED)
    assert shown(compiled) == shown(executed)
    assert compiled.text is None, "normal execution has the word"


@pytest.mark.parametrize("what", ORDINARY)
async def test_what_it_does_allow_is_compiled(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    what: str,
) -> None:
    compiled = await asked(schema, ORDINARY[what], subjects[0], COMPILED)
    executed = await asked(schema, ORDINARY[what], subjects[0], EXECUTED)
    assert shown(compiled) == shown(executed)
    assert compiled.text is not None and not executed.errors


@pytest.mark.parametrize(
    ("aliases", "refused"), [(1, False), (99, False), (100, True), (150, True)]
)
async def test_an_answer_of_too_many_objects_is_refused_by_each_tier(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    aliases: int,
    refused: bool,
) -> None:
    """50 000 for a client: 500 blocks, and the pipeline that they belong to."""
    lists = " ".join(f"a{n}: blocks {{ uuid }}" for n in range(aliases))
    text = PIPELINE % ("full", lists)
    compiled = await asked(schema, text, subjects[0], COMPILED)
    executed = await asked(schema, text, subjects[0], EXECUTED)
    assert shown(compiled) == shown(executed)
    assert ("QUERY_TOO_COMPLEX" in executed.codes) is refused
    assert (compiled.text is None) is refused
