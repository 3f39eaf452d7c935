"""The door itself: stored operations, and what the endpoint demands of a schema."""

import pytest
import strawberry
from graphql import OperationType
from strawberry.extensions import SchemaExtension

from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.execute import (
    GraphQLSettings,
    InvalidStoredOperation,
    execute,
    stored_operations,
    subscribe,
)
from tests.graphql.protocol.server import make_endpoint
from tests.graphql.protocol.toy import SCHEMA, Query


def context() -> Context:
    """A context for one operation."""
    return Context(subject=Subject(), request_id="r1")


def test_stored_operations_are_named_and_know_their_kind() -> None:
    text = """
      query Hello($name: String!) { hello(name: $name) ...P }
      mutation Count { count }
      fragment P on Query { person { name } }
    """
    operations = stored_operations(SCHEMA, text, "hello.graphql")
    assert set(operations) == {"Hello", "Count"}
    assert operations["Hello"].kind is OperationType.QUERY
    assert operations["Count"].is_mutation


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("query A {\n  helo\n}", "hello.graphql:2: Cannot query field 'helo' on type 'Query'."),
        ("query A {\n", "hello.graphql:2: Syntax Error"),
        ("{ hello }", "hello.graphql: every stored operation needs a name"),
        ("query A { hello(nam: 1) }", "hello.graphql:1: Unknown argument 'nam'"),
    ],
)
def test_mistake_in_a_stored_operation_names_file_line_and_fault(text: str, fault: str) -> None:
    with pytest.raises(InvalidStoredOperation) as raised:
        stored_operations(SCHEMA, text, "hello.graphql")
    assert fault in str(raised.value)


async def test_stored_operation_runs_with_variables() -> None:
    text = "query Hello($name: String!) { hello(name: $name) }"
    operation = stored_operations(SCHEMA, text, "hello.graphql")["Hello"]
    result = await execute(SCHEMA, operation, {"name": "ada"}, None, context())
    assert (result.data, result.errors) == ({"hello": "hello ada"}, [])


async def test_stored_operation_obeys_the_node_limit_but_not_those_for_documents() -> None:
    many = " ".join(f"a{n}: hello" for n in range(100))
    text = f"query Many {{ {many} }} query All($n: Int!) {{ people(first: $n) {{ name }} }}"
    operations = stored_operations(SCHEMA, text, "many.graphql")
    result = await execute(SCHEMA, operations["Many"], None, None, context())
    assert result.data is not None and len(result.data) == 100
    result = await execute(SCHEMA, operations["All"], {"n": 10_000}, None, context())
    assert result.data is not None and len(result.data["people"]) == 10_000
    result = await execute(SCHEMA, operations["All"], {"n": 50_001}, None, context())
    assert (result.executed, result.codes) == (False, {"QUERY_TOO_COMPLEX"})


async def test_text_is_limited_and_validated_on_the_spot() -> None:
    result = await execute(SCHEMA, "{ helo }", None, None, context())
    assert (result.executed, result.codes) == (False, {"GRAPHQL_VALIDATION_FAILED"})
    assert "data" not in result.payload()
    strict = GraphQLSettings(max_depth=1)
    result = await execute(SCHEMA, "{ person { name } }", None, None, context(), settings=strict)
    assert result.codes == {"QUERY_TOO_COMPLEX"}


async def test_time_limit_can_be_given_for_one_operation() -> None:
    result = await execute(SCHEMA, "{ slow }", None, None, context(), timeout_s=0.05)
    assert (result.data, result.codes, result.executed) == (None, {"TIMEOUT"}, True)


async def test_subscription_must_be_streamed_and_a_query_must_not() -> None:
    result = await execute(SCHEMA, "subscription { count }", None, None, context())
    assert (result.executed, result.codes) == (False, {"BAD_USER_INPUT"})
    [refused] = [item async for item in subscribe(SCHEMA, "{ hello }", None, None, context)]
    assert (refused.executed, refused.codes) == (False, {"BAD_USER_INPUT"})


async def test_each_event_has_a_context_of_its_own() -> None:
    made: list[Context] = []

    def new_context() -> Context:
        made.append(context())
        return made[-1]

    stream = subscribe(SCHEMA, "subscription { count(upto: 3) }", None, None, new_context)
    assert [item.data async for item in stream] == [{"count": n} for n in range(3)]
    assert len(made) == 4


def test_schema_with_extensions_is_refused_since_they_would_not_run() -> None:
    from app.graphql.execute import Door
    from app.graphql.persisted import PersistedQueries

    schema = strawberry.Schema(query=Query, extensions=[SchemaExtension])
    settings = GraphQLSettings()
    with pytest.raises(ValueError, match="not supported"):
        Door(schema, settings, PersistedQueries(None, settings))
    assert make_endpoint(settings).settings is settings
