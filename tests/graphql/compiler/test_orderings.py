"""What a list is ordered by: no more than decides, so that an index can serve it."""

from typing import Any

import pytest
from strawberry import Schema

from app.core.rules import Subject
from app.graphql.connections import encode_cursor, is_unique, sorts
from app.graphql.context import Context
from app.graphql.execute import execute
from app.pipelines import tables as p
from app.runs import tables as r
from tests.graphql.compiler.harness import cursor_parts
from tests.graphql.compiler.test_differential import COMPILED, EXECUTED, schema, subjects

__all__ = ["schema", "subjects"]

ID, NUMBER, STARTED = r.runs.c.id, p.pipeline_runs.c.number, r.runs.c.started_at
DATE = p.pipeline_runs.c.execution_date


@pytest.mark.parametrize(
    ("default", "key", "expected"),
    [
        ([(NUMBER, True)], [ID], [NUMBER]),
        ([(DATE, True), (NUMBER, True)], [ID], [DATE, NUMBER]),
        ([(NUMBER, True), (DATE, True)], [ID], [NUMBER]),
        ([(STARTED, True)], [ID], [STARTED, ID]),
        ([(ID, True)], [ID], [ID]),
        ([], [ID], [ID]),
    ],
)
def test_nothing_stands_behind_a_unique_column(default: Any, key: Any, expected: Any) -> None:
    made = sorts(None, {}, default, key)
    assert [sort.column for sort in made] == expected
    assert all(sort.descending is (bool(default) and default[0][1]) for sort in made)


def test_a_column_is_unique_alone_and_where_it_has_a_value() -> None:
    assert is_unique(ID) and is_unique(NUMBER)
    assert not is_unique(r.run_logs.c.seq), "it is unique within a run"
    assert not is_unique(p.pipelines.c.uuid), "it is unique within a project"
    assert not is_unique(STARTED)


async def test_a_cursor_of_more_values_is_refused_in_words(
    schema: Schema, subjects: list[Subject]
) -> None:
    """Lists had the primary key behind the number once; their cursors are of another ordering."""
    text = "query($at: String) { pipelineRuns(first: 1, after: $at) { edges { cursor } } }"
    for settings in (COMPILED, EXECUTED):

        async def ask(at: str | None) -> Any:
            context = Context(subject=subjects[0], request_id="test")
            return await execute(schema, text, {"at": at}, None, context, settings=settings)  # noqa: B023

        cursor = (await ask(None)).data["pipelineRuns"]["edges"][0]["cursor"]
        mark, *values = cursor_parts(cursor)
        assert len(values) == 1
        assert (await ask(cursor)).errors == []
        old = encode_cursor(mark, [*values, "01900000-0000-7000-8000-000000000001"])
        (error,) = (await ask(old)).errors
        assert "another ordering" in error["message"]
