"""Payloads of mutations, and `node`: rows that are named while the operation is executed."""

import random
from collections import Counter
from typing import Any

import pytest
from strawberry import Schema

from app.core.ids import global_id
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.documents import prepare
from app.graphql.execute import Result, execute
from tests.graphql.compiler.counting import counting
from tests.graphql.compiler.operations import Writer
from tests.graphql.compiler.test_differential import (
    COMPILED,
    EXECUTED,
    ask,
    both,
    schema,  # noqa: F401  (fixtures)
    shown,
    subjects,  # noqa: F401
)

ROUNDS = [0, 1, *(pytest.param(more, marks=pytest.mark.long) for more in range(2, 40))]
CASES_PER_ROUND = 25
CHANGES = {
    "Project": ('projectUpdate(input: {id: "%s", description: "d"})', "project", 1),
    "Pipeline": ('pipelineUpdate(input: {by: {id: "%s"}, description: "d"})', "pipeline", 1),
    "Block": ('blockUpdate(input: {by: {id: "%s"}, color: "red"})', "block", 1),
    "Trigger": ('triggerUpdate(input: {by: {id: "%s"}, description: "d"})', "trigger", 2),
    "SyncSource": ('syncSourceUpdate(input: {by: {id: "%s"}, name: "s"})', "source", 1),
    "SyncJob": ('syncJobSetActive(input: {by: {id: "%s"}, isActive: true})', "job", 1),
    "PipelineRun": (
        'pipelineRunCancel(input: {by: {id: "%s"}})',
        "run",
        "01900000-0000-7000-8000-000000000001",
    ),
}
"""For each type a mutation of a row, the field of its payload, and the row's key."""

_taken: Counter[bool] = Counter()


@pytest.mark.parametrize("number", ROUNDS)
async def test_nodes_are_the_same_from_each_tier(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    number: int,
) -> None:
    for seed in range(number * CASES_PER_ROUND, (number + 1) * CASES_PER_ROUND):
        operation = Writer(schema._schema, random.Random(seed)).node()
        for subject in subjects:
            compiled, executed = await both(schema, operation, subject)
            _taken[compiled.has_parts] += 1
            assert shown(compiled) == shown(executed), (seed, operation)
            assert not executed.has_parts


async def test_most_nodes_were_compiled(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    if not _taken:
        await test_nodes_are_the_same_from_each_tier(schema, subjects, 0)
    assert _taken[True] > _taken[False], _taken


@pytest.mark.parametrize("name", CHANGES)
async def test_a_payload_shows_what_a_read_shows_after(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    name: str,
) -> None:
    change, field, key = CHANGES[name]
    gid = global_id(name, key)
    for seed in range(5):
        writer = Writer(schema._schema, random.Random(seed))
        selection = writer.selection(name)
        change_it = writer.wrapped(
            "mutation", f"{change % gid} {{ {field} {selection} errors {{ message }} }}"
        )
        read_it = writer.wrapped("query", f'node(id: "{gid}") {{ ... on {name} {selection} }}')
        changed = await ask(schema, change_it, subjects[0], COMPILED)
        read = await ask(schema, read_it, subjects[0], EXECUTED)
        assert changed.data is not None and read.data is not None, (changed, read)
        (payload,) = changed.data.values()
        assert payload["errors"] == []
        expected = Result(read.data["node"], _below(read, 1))
        assert shown(Result(payload[field], _below(changed, 2))) == shown(expected), change_it


def _below(result: Result, steps: int) -> list[Any]:
    """The errors, with their paths as seen from the object."""
    return [
        {"message": e["message"], "code": e["extensions"]["code"], "path": e["path"][steps:]}
        for e in result.errors
    ]


async def answered(
    schema: Schema,  # noqa: F811
    subject: Subject,
    text: str,
    settings: Any = COMPILED,
    **variables: Any,
) -> Result:
    """What a client gets; the same document for the same text."""
    document = _documents.setdefault(text, prepare(schema, text, settings))
    return await execute(
        schema, document, variables, None, Context(subject=subject), settings=settings
    )


_documents: dict[str, Any] = {}
PAYLOAD = """mutation M($id: ID!, $name: String!, $n: Int!) {
  pipelineUpdate(input: {by: {id: $id}, description: $name}) {
    pipeline { __typename id description updatedAt createdBy { username }
      blocks { name } runs(first: $n) { totalCount nodes { status steps { name } } } }
    errors { message }
  }
}"""


async def test_a_payload_is_one_statement_and_no_field_below_it(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    given = {"id": global_id("Pipeline", 1), "name": "first", "n": 3}
    first = await answered(schema, subjects[0], PAYLOAD, **given)
    assert first.data and first.data["pipelineUpdate"]["pipeline"]["description"] == "first"
    with counting() as counted:
        again = await answered(schema, subjects[0], PAYLOAD, **{**given, "name": "second", "n": 2})
    assert again.has_parts and again.data
    assert again.data["pipelineUpdate"]["pipeline"]["description"] == "second"
    assert len(again.data["pipelineUpdate"]["pipeline"]["runs"]["nodes"]) == 2
    after = counted.statements[_audited(counted.statements) + 1 :]
    assert len(after) == 1 and "json" in after[0]
    assert counted.fields == [
        "pipelineUpdate",
        "pipelineUpdate.pipeline",
        "pipelineUpdate.errors",
    ]
    assert counted.plans == 0


def _audited(statements: list[str]) -> int:
    """Where the verb's audit row was written, which is the last that it does."""
    return max(n for n, text in enumerate(statements) if text.startswith("INSERT INTO audit_log"))


async def test_an_unselected_object_is_not_read(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    text = "mutation($id: ID!) { pipelineUpdate(input: {by: {id: $id}}) { errors { message } } }"
    with counting() as counted:
        result = await answered(schema, subjects[0], text, id=global_id("Pipeline", 1))
    assert result.data == {"pipelineUpdate": {"errors": []}} and not result.has_parts
    assert _audited(counted.statements) == len(counted.statements) - 1


async def test_one_plan_serves_all_inputs(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    text = (
        "mutation($i: PipelineUpdateInput!) "
        "{ pipelineUpdate(input: $i) { pipeline { id name tags } } }"
    )
    by = {"id": global_id("Pipeline", 1)}
    await answered(schema, subjects[0], text, i={"by": by, "description": "a"})
    with counting() as counted:
        for more in ({"tags": ["b"]}, {"description": None}, {"tags": [], "variables": {"x": 1}}):
            result = await answered(schema, subjects[0], text, i={"by": by, **more})
            assert result.has_parts
    assert counted.plans == 0


async def test_mutations_of_one_document_see_each_other_in_order(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    gid = global_id("Pipeline", 2)
    change = f'pipelineUpdate(input: {{by: {{id: "{gid}"}}, description: "%s"}})'
    shown_as = "{ a: pipeline { description } b: pipeline { version x: description } }"
    text = f"mutation {{ one: {change % 'one'} {shown_as} two: {change % 'two'} {shown_as} }}"
    result = await answered(schema, subjects[0], text)
    assert result.data is not None and result.has_parts
    one, two = result.data["one"], result.data["two"]
    assert (one["a"], one["b"]["x"]) == ({"description": "one"}, "one")
    assert (two["a"], two["b"]["x"]) == ({"description": "two"}, "two")
    assert two["b"]["version"] == one["b"]["version"] + 1


SIGN_UP = """mutation($name: String!) {
  userSignup(input: {username: $name, password: "correct horse battery"}) {
    user { id } errors { message }
  }
}"""


async def test_a_payload_hides_what_its_caller_may_not_read(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    for name, settings in (("compiled", COMPILED), ("executed", EXECUTED)):
        result = await answered(schema, Subject(), SIGN_UP, settings, name=name)
        assert result.data == {"userSignup": {"user": None, "errors": []}}, result
        assert result.has_parts == settings.compile
    node = f'{{ node(id: "{global_id("Pipeline", 1)}") {{ id }} }}'
    hidden = await answered(schema, subjects[2], node)
    assert hidden.data == {"node": None} and hidden.has_parts


async def test_what_cannot_be_compiled_is_executed(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
) -> None:
    gid = global_id("Pipeline", 1)
    text = (
        f'mutation {{ pipelineUpdate(input: {{by: {{id: "{gid}"}}, description: "d"}}) '
        f"{{ pipeline {{ {'a' * 64}: description }} }} }}"
    )
    result = await answered(schema, subjects[0], text)
    assert result.data == {"pipelineUpdate": {"pipeline": {"a" * 64: "d"}}}
    assert not result.has_parts
