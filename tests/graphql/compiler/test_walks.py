"""Pages of compiled lists: every row once, whichever way one walks, and the same cursors in each tier."""

from dataclasses import replace
from typing import Any

import pytest
from strawberry import Schema

from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.execute import GraphQLSettings, execute
from tests.graphql.compiler.test_differential import schema, subjects

__all__ = ["schema", "subjects"]

COMPILED = GraphQLSettings()
EXECUTED = replace(COMPILED, compile=False)
PAGE = "{ nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }"
FORWARD = "first: 2, after: $at"
BACKWARD = "last: 2, before: $at"
LISTS = {
    "runs by start": ("pipelineRuns", "orderBy: [{field: STARTED_AT, direction: DESC}]"),
    "runs, nulls first": (
        "pipelineRuns",
        "orderBy: [{field: FINISHED_AT, direction: ASC, nulls: FIRST}]",
    ),
    "runs by two": (
        "pipelineRuns",
        "orderBy: [{field: STATUS, direction: ASC}, {field: CREATED_AT, direction: DESC}]",
    ),
    "some runs": ("pipelineRuns", 'where: {pipelineUuid: {startsWith: "a"}}'),
    "every kind": ("runs", ""),
    "pipelines": ("pipelines", "orderBy: [{field: NAME, direction: DESC}]"),
    "steps": ("runSteps", ""),
    "triggers": ("triggers", "orderBy: [{field: PIPELINE_UUID, direction: ASC}]"),
}


async def page(
    schema: Schema, subject: Subject, name: str, arguments: str, at: str | None, how: str
) -> dict[str, Any]:
    """One page, which both tiers must give alike."""
    given = ", ".join(filter(None, (how, arguments)))
    text = f"query($at: String) {{ {name}({given}) {PAGE} }}"
    answers = []
    for settings in (COMPILED, EXECUTED):
        context = Context(subject=subject, request_id="test")
        result = await execute(schema, text, {"at": at}, None, context, settings=settings)
        assert result.errors == []
        assert (result.text is not None) == settings.compile
        assert result.data is not None
        answers.append(result.data[name])
    assert answers[0] == answers[1]
    return answers[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("how", [FORWARD, BACKWARD], ids=["forward", "backward"])
async def test_a_walk_meets_every_row_once(
    schema: Schema, subjects: list[Subject], which: str, how: str
) -> None:
    name, arguments = LISTS[which]
    seen: list[str] = []
    at, ended = None, False
    while not ended:
        found = await page(schema, subjects[0], name, arguments, at, how)
        ids = [node["id"] for node in found["nodes"]]
        seen = seen + ids if how == FORWARD else ids + seen
        info = found["pageInfo"]
        ended = not info["hasNextPage" if how == FORWARD else "hasPreviousPage"]
        at = info["endCursor" if how == FORWARD else "startCursor"]
    assert len(seen) == len(set(seen)) == found["totalCount"] > 0
