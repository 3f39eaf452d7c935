"""Corners that generated operations do not reach: each tier gives the same answer in them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, insert
from strawberry import Schema

from app.core import db
from app.core.ids import global_id
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.documents import prepare
from app.graphql.execute import execute
from app.pipelines.tables import pipelines
from app.runs.tables import workers
from tests.graphql.compiler.test_differential import (
    COMPILED,
    EXECUTED,
    schema,  # noqa: F401  (fixtures)
    shown,
    subjects,  # noqa: F401
)

NAMED = "query($n: PipelineFilter) { pipelines(where: $n) { nodes { name } } }"
ODD = "\"'\\/\b\f\n\r\t\x01\x1f\x7f\x85\u2028\ufeff\uffff é 😀 </script>"
NOTIFICATION = global_id("NotificationRun", "01900000-0000-7000-8000-0000000000aa")
CORNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "aliases like the names of a statement's parts": (
        "{ pipelines { nodes { x1: name x2: uuid x3: number x4: type x5: type p1: tags uuid } "
        "edges { y1: node { y2: name x3: name y4: uuid y5: number y6: type uuid } x6: cursor } } }",
        {},
    ),
    "aliases that differ in case, or are words of SQL": (
        "{ pipelines { nodes { Name: name name NAME: uuid select: uuid order: name user: uuid } } }",
        {},
    ),
    "aliases like the columns within a statement": (
        "{ pipelines(last: 3) { pageInfo { s0: endCursor place: startCursor } nodes { s0: name "
        "s1: uuid place: number c_name: uuid n0_c_name: type n0_k: tags blocks { s0: name "
        "s1: uuid k: id l_pipeline_id: position one: __typename } } } }",
        {},
    ),
    "aliases as long as may be, and longer": (
        f"{{ pipelines {{ nodes {{ {'a' * 63}: name }} }} {'b' * 64}: me {{ id }} "
        f"{'b' * 63}c: me {{ id }} {'d' * 63}: me {{ {'e' * 63}: id }} }}",
        {},
    ),
    "texts that JSON escapes, in cursors too": (
        "{ pipelines(orderBy: {field: NAME, direction: DESC}) { edges { cursor node { name uuid "
        "description tags variables } } } }",
        {},
    ),
    "a computed field of one variant": (
        "{ runs { nodes { id ... on PipelineRun { trigger { nextRunDate } } } } }",
        {},
    ),
    "a computed field where another variant has a column": (
        "{ runs { nodes { id ... on PipelineRun { t: trigger { d: nextRunDate } } "
        "... on NotificationRun { t: pipeline { n: name } } } } }",
        {},
    ),
    "a computed field with other selections in each variant": (
        "{ runs { nodes { id ... on PipelineRun { steps { outputs { name } } } "
        "... on NotificationRun { steps { outputs { kind } } } } } }",
        {},
    ),
    "a computed field of all variants": (
        "{ runs { nodes { id steps { name outputs { name kind } } } } }",
        {},
    ),
    "a null item of a list": (
        'query($x: String = "a") { pipelines(where: {name: {in: [$x]}}) { nodes { name } } }',
        {"x": None},
    ),
    "an item of a list": (
        "query($x: String!) { pipelines(where: {name: {in: [$x]}}) { nodes { name } } }",
        {"x": "arwen-starlight"},
    ),
    "a directive's null": (
        "query($x: Boolean = true) { pipelines { nodes { name uuid @include(if: $x) } } }",
        {"x": None},
    ),
    "a null page": (
        "query($n: Int) { pipelines(first: $n) { nodes { name } pageInfo { hasNextPage } } }",
        {"n": None},
    ),
    "an empty page": ("query($n: Int) { pipelines(first: $n) { nodes { name } } }", {"n": 0}),
    "both ends": ("query($n: Int) { pipelines(first: $n, last: $n) { totalCount } }", {"n": 1}),
    "an empty cursor": ("query($n: String) { pipelines(after: $n) { totalCount } }", {"n": ""}),
    "a null filter": (NAMED, {"n": None}),
    "a filter's null": (NAMED, {"n": {"name": None}}),
    "a null operand": (NAMED, {"n": {"name": {"eq": None}}}),
    "an empty id": ("query($n: ID!) { pipeline(by: {id: $n}) { name } }", {"n": ""}),
    "names of types": (
        "{ __typename pipelines { __typename nodes { t: __typename } edges { __typename } "
        "pageInfo { __typename } } }",
        {},
    ),
    "introspection with data": (
        '{ __type(name: "Pipeline") { name } pipelines { totalCount } }',
        {},
    ),
    "texts that look like SQL": (
        "query($s: String!) { pipelines(where: {or: [{name: {contains: $s}}, "
        '{name: {eq: "\'); drop table x; --"}}, {name: {startsWith: "$1 %(x)s :y \\\\"}}]}) '
        "{ totalCount } }",
        {"s": "\"'\\ $1 😀\u2028"},
    ),
    "nothing selected": ("{ pipelines @skip(if: true) { totalCount } }", {}),
    "fields that are merged": (
        "{ pipelines { nodes { name } nodes { uuid name } ...F } ...R } "
        "fragment F on PipelineConnection { nodes { blocks { uuid } } totalCount } "
        "fragment R on Query { pipelines { totalCount nodes { blocks { name } } } }",
        {},
    ),
    "the same list twice": (
        "{ pipelines { a: totalCount b: totalCount nodes { name } m: nodes { uuid } "
        "edges { cursor } f: edges { node { name } } } }",
        {},
    ),
    "an id of a long name": ("{ workers { id name: id } }", {}),
    "a row that PostgreSQL cannot read, and another field": (
        "{ runs { nodes { id ... on NotificationRun { aboutNumber } } } me { id } }",
        {},
    ),
    "a row that PostgreSQL cannot read": (
        "query($id: ID!) { run(id: $id) { ... on NotificationRun { aboutNumber } id } me { id } }",
        {"id": NOTIFICATION},
    ),
    "what depends on the caller": (
        "{ projects { nodes { v: viewerPermissions memberships { project { viewerPermissions } } } } "
        "triggers { nodes { token } } }",
        {},
    ),
}


@pytest_asyncio.fixture(scope="module", autouse=True)
async def another_variant(subjects: list[Subject]) -> None:  # noqa: F811
    """A run that is none of a pipeline, with a step; a worker with a long name."""
    async with db.reading() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO runs (id, project_id, kind, status, subject_id, params) VALUES "
            "('01900000-0000-7000-8000-0000000000aa', 1, 'notification', 'succeeded', 1, "
            """'{"event": "failure", "channel": "email", "number": "many"}')"""
        )
        await connection.exec_driver_sql(
            "INSERT INTO run_steps (id, run_id, project_id, position, name, status, outputs) "
            'SELECT 900, id, 1, 1, \'send\', \'succeeded\', \'[{"name": "sent", "kind": "text"}]\' '
            "FROM runs WHERE kind = 'notification'"
        )
        await connection.execute(
            insert(pipelines).values(
                project_id=1,
                id=700,
                uuid="odd",
                name=ODD,
                type="python",
                description=ODD,
                tags=[ODD, "a,b", "{}", "null", ""],
                variables={ODD: [ODD, 1.5, 1e-7, 1e300, 2**53 + 1, None, True, {}, []]},
            )
        )
        await connection.execute(
            insert(workers).values(
                id=f"a-{'very-' * 20}long-host-name-1-abcdef",
                host="a",
                seen_at=func.now() + timedelta(hours=1),
            )
        )
        await connection.commit()


@pytest.mark.parametrize("corner", CORNERS)
async def test_tiers_agree_in_corners(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    corner: str,
) -> None:
    text, variables = CORNERS[corner]
    document = prepare(schema, text, COMPILED)
    scoped = replace(subjects[0], is_owner=False, grants={1: frozenset({"project.read"})})
    # One document, whose plans serve one caller after the other.
    for subject in (*subjects, scoped, Subject(), subjects[0]):
        answers = []
        for settings in (COMPILED, EXECUTED):
            context = Context(subject=subject, request_id="test")
            answers.append(
                shown(await execute(schema, document, variables, None, context, settings=settings))
            )
        assert answers[0] == answers[1], subject
