"""Counts read what they need: not the ledger where the facet of its rows has all, nothing if kept."""

from dataclasses import replace
from typing import Any

import pytest
from graphql.execution.values import get_variable_values
from strawberry import Schema

from app.core.ids import global_id
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.documents import prepare
from app.graphql.execute import GraphQLSettings, Result, execute
from tests.graphql.compiler.test_differential import COMPILED, EXECUTED, schema, subjects

__all__ = ["schema", "subjects"]

KEPT = {
    "of a trigger": "{ triggers { nodes { runCount } } }",
    "by the number of a trigger": (
        "{ pipelineRuns(where: {triggerNumber: {in: [1, 2]}}) { totalCount } }"
    ),
    "of pipelines": (
        '{ pipelineRuns(where: {or: [{pipelineUuid: {startsWith: "d"}}, {not: {pipelineUuid: {in: '
        '["arwen_starlight"]}}}]}) { totalCount } }'
    ),
    "all": "{ pipelineRuns { totalCount } }",
    "an empty filter": "{ pipelineRuns(where: {and: [{}]}) { totalCount } }",
    "of a project": f'{{ pipelineRuns(projectId: "{global_id("Project", 1)}") {{ totalCount }} }}',
}
FACET_ALONE = {
    "of a pipeline's name, by date": (
        '{ pipelineRuns(where: {pipelineUuid: {eq: "daily_calls"}, executionDate: {lt: '
        '"2030-01-01T00:00:00Z"}}) { totalCount } }'
    ),
    "of a pipeline that is such": (
        "{ pipelineRuns(where: {pipeline: {hasTriggers: true}, isLatest: true}) { totalCount } }"
    ),
    "of a backfill": "{ backfills { nodes { runs { totalCount } } } }",
    "of each pipeline": "{ pipelines { nodes { runs { totalCount } } } }",
}
WITH_LEDGER = {
    "by status": "{ pipelineRuns(where: {status: {eq: FAILED}}) { totalCount } }",
    "deep in the filter": (
        '{ pipelineRuns(where: {not: {or: [{createdAt: {lt: "2020-01-01T00:00:00Z"}}]}}) '
        "{ totalCount } }"
    ),
    "by status of each pipeline": (
        "{ pipelines { nodes { runs(where: {status: {eq: FAILED}}) { totalCount } } } }"
    ),
    "of a trigger that go on": "{ triggers { nodes { activeRunCount } } }",
}


def statement(schema: Schema, text: str) -> str:
    operation = prepare(schema, text, COMPILED).operation(None)
    variables: Any = get_variable_values(schema._schema, operation.variable_definitions, {})
    return operation.plans.find(schema, operation.document, None, variables, {}).text


async def ask(schema: Schema, text: str, subject: Subject, settings: GraphQLSettings) -> Result:
    context = Context(subject=subject, request_id="test")
    return await execute(schema, text, {}, None, context, settings=settings)


@pytest.mark.parametrize("which", KEPT)
def test_a_count_of_all_is_kept(schema: Schema, which: str) -> None:
    made = statement(schema, KEPT[which])
    assert "FROM pipeline_run_tallies" in made and "pipeline_runs" not in made and "$" in made


@pytest.mark.parametrize("which", FACET_ALONE)
def test_a_count_leaves_the_ledger_alone(schema: Schema, which: str) -> None:
    made = statement(schema, FACET_ALONE[which])
    assert "count(*)" in made and "pipeline_runs" in made
    assert "FROM runs" not in made and "JOIN" not in made


@pytest.mark.parametrize("which", WITH_LEDGER)
def test_a_count_of_what_the_ledger_knows_joins_it(schema: Schema, which: str) -> None:
    assert "JOIN " in statement(schema, WITH_LEDGER[which])


@pytest.mark.parametrize("which", KEPT | FACET_ALONE | WITH_LEDGER)
async def test_tiers_count_alike(schema: Schema, subjects: list[Subject], which: str) -> None:
    for subject in subjects:
        text = (KEPT | FACET_ALONE | WITH_LEDGER)[which]
        compiled = await ask(schema, text, subject, COMPILED)
        assert compiled.text is not None
        assert compiled.data == (await ask(schema, text, subject, EXECUTED)).data


@pytest.mark.parametrize("settings", [COMPILED, EXECUTED], ids=["compiled", "executed"])
async def test_a_count_is_of_what_the_caller_may_read(
    schema: Schema, subjects: list[Subject], settings: GraphQLSettings
) -> None:
    owner = subjects[0]
    blind = replace(owner, is_owner=False, grants={1: frozenset({"project.read"})})
    for subject, counted in ((owner, True), (blind, False)):
        data = (await ask(schema, KEPT["all"], subject, settings)).data
        assert data is not None and bool(data["pipelineRuns"]["totalCount"]) is counted
