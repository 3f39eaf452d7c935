"""Input of no sense, everywhere: a clear error with a code, never a fault of ours."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from app.core.ids import global_id
from app.graphql.schema import build_schema
from tests.factories import rows
from tests.graphql.caller import Answer, Caller

SCHEMA = build_schema()._schema
ROOT = str(Path(__file__).parents[2])
OURS = ("Traceback", "sqlalchemy", "asyncpg", "site-packages", ROOT, "psycopg", "SELECT ")
FAULTS = {"INTERNAL", "UNAVAILABLE", "TIMEOUT"}


def fields() -> dict[str, tuple[str, GraphQLField]]:
    """Every query and mutation: name -> (operation, field)."""
    found = {}
    for operation, root in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert isinstance(root, GraphQLObjectType)
        found |= {name: (operation, field) for name, field in root.fields.items()}
    return found


FIELDS = fields()


def document(name: str) -> str:
    """The operation that takes every argument of a root field as a variable."""
    operation, field = FIELDS[name]
    declared = ", ".join(f"${n}: {a.type}" for n, a in field.args.items())
    passed = ", ".join(f"{n}: ${n}" for n in field.args)
    target = get_named_type(field.type)
    selection = "{ __typename }"
    if isinstance(target, GraphQLObjectType) and "errors" in target.fields:
        selection = "{ __typename errors { message code path } }"
    elif isinstance(target, GraphQLObjectType) and "nodes" in target.fields:
        selection = "{ totalCount nodes { __typename } edges { cursor } }"
    head = f"{operation}({declared})" if declared else operation
    return f"{head} {{ {name}{f'({passed})' if passed else ''} {selection} }}"


IDS: dict[str, str] = {}
"""Real ids by type, filled by the fixture."""

TYPES = ("PipelineRun", "ApiKey", "User", "Session", "Project", "Membership", "Pipeline", "Block")


def id_for(path: tuple[str, ...], owner: str) -> str:
    """A real id for an argument or an input's field."""
    named = {"projectId": "Project", "userId": "User", "id": "", "ids": ""}[path[-1]]
    if named:
        return IDS[named]
    if owner.startswith("Trigger"):
        return IDS["Trigger"]
    return IDS[next((t for t in TYPES if owner.startswith(t)), "Pipeline")]


def sensible(of: Any, path: tuple[str, ...], owner: str, number: int) -> Any:
    """A value that the program can work with."""
    if isinstance(of, GraphQLNonNull):
        of = of.of_type
    if isinstance(of, GraphQLList):
        return [sensible(of.of_type, path, owner, number)]
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if isinstance(of, GraphQLInputObjectType):
        picked = list(of.fields.items())[:1] if of.is_one_of else list(of.fields.items())
        return {
            name: sensible(field.type, (*path, name), of.name, number)
            for name, field in picked
            if name not in ("and", "or", "not", "expectedVersion", "cloneOf", "rotateToken")
            and not (name == "id" and owner == "SessionDeleteInput")
        }
    texts = {"name": f"n{number}", "username": f"u{number}", "role": "viewer"}
    texts |= {"email": f"e{number}@example.org", "timezone": "UTC", "scopes": "project.read"}
    texts |= {"pipeline": "fuzzed", "block": "a", "password": "short"[:4], "uuid": "fuzzed"}
    match of.name:
        case "ID":
            return id_for(path, owner)
        case "Int":
            return 5
        case "Boolean":
            return False
        case "DateTime":
            return "2035-01-01T00:00:00Z"
        case "Date":
            return "2035-01-01"
        case "JSON":
            return [] if path[-1] == "eventMatchers" else {}
        case "Cron":
            return "@daily"
    return texts.get(path[-1], "text")


TEXTS = ["", " ", "é💥\u202e", "x" * 3000, "²", "'; DROP TABLE users --", "%_\\", "null", "\ud7ff"]
BAD: dict[str, list[Any]] = {
    "ID": [
        *("", "²", "rubbish", "é", "=", "x" * 3000, 5, -1, 2**70, 1.5, True),
        *(
            global_id("Pipeline", key)
            for key in ("²", "", -1, 10**17, 10**40, "1_0", " 1", "\u0663")
        ),
        *(global_id("PipelineRun", key) for key in ("x", "0" * 32, 5)),
        global_id("Nothing", 1),
        global_id("Query", 1),
        global_id("Run", "00000000-0000-7000-8000-000000000000"),
        *(global_id(name, 10**17) for name in ("User", "Project", "Trigger", "Block", "Session")),
    ],
    "String": [*TEXTS, 5, True, {}, ["x"]],
    "Int": [0, -1, 2**31 - 1, -(2**31), 2**31, 99999999999, 10**30, 1.5, "1", True, {}],
    "Boolean": ["true", 1, {}],
    "DateTime": [
        *("", "now", "2030-01-01", "2030-01-01T00:00:00", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        *("2030-02-30T00:00:00Z", "2030-01-01T24:61:00Z", 5, "x" * 3000),
    ],
    "Date": [
        *("", "now", "2030-02-30", "0001-01-01", "9999-12-31", "2030-1-1", "20300101"),
        *("2030-W01-1", "2030-01-01T00:00:00Z", 5, True, {}, "²030-01-01", "x" * 3000),
    ],
    "JSON": [
        [],
        [1],
        "text",
        5,
        2**63,
        10**30,
        1e308,
        -0.0,
        True,
        {"": {"": []}},
        {"timeout": "x"},
    ],
    "Cron": [*TEXTS, "* * * * *", "@reboot", "* * * * * *", "0 0 30 2 *", "60 * * * *", 5],
    "BigInt": ["", "x", "-1", str(2**63), "1_0", 1.5, True],
}
ENUM = ["", "NOPE", 1, True, {}]


def leaves(
    of: Any, value: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The place and the type of everything in a value."""
    if isinstance(of, GraphQLNonNull):
        of = of.of_type
    yield path, of
    if isinstance(of, GraphQLList) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(of.of_type, item, (*path, index))
    elif isinstance(of, GraphQLInputObjectType) and isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(of.fields[name].type, item, (*path, name))


_done: set[tuple[str, Any, str]] = set()


def _is_done(argument: Any, path: tuple[Any, ...], of: Any) -> bool:
    """Whether a list has had bad values in this place before; the arguments of all are alike."""
    name = get_named_type(argument).name
    of = get_named_type(of)
    step = path[-1] if is_leaf_type(of) else ""
    place = (name if name.endswith("Filter") else path[0], step, of.name)
    return place in _done or _done.add(place) is not None


_tried: set[tuple[Any, str]] = set()


def some_bad_values(of: Any, place: Any, number: int) -> list[Any]:
    """All of them in the first place of a name and a type, a third of them in each later one."""
    values, key = bad_values(of), (place, str(of))
    if key not in _tried:
        _tried.add(key)
        return values
    return values[number % 3 :: 3]


def bad_values(of: Any) -> list[Any]:
    """What to put in place of a value of a type."""
    if isinstance(of, GraphQLEnumType):
        return [None, *ENUM]
    if is_leaf_type(of):
        return [None, *BAD[of.name]]
    return [None, "x", 5, {}, []]


def replaced(values: dict[str, Any], path: tuple[Any, ...], other: Any) -> dict[str, Any]:
    """The variables with another value in one place."""
    changed = copy.deepcopy(values)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = other
    return changed


@pytest.fixture(scope="module")
async def fuzzer(app: Starlette, client: httpx2.AsyncClient) -> Caller:
    """An owner of the installation, in a project with one of everything."""
    user, other = await rows.user("fuzzer", is_owner=True), await rows.user("other")
    project = await rows.project()
    await rows.member(project, user, "owner")
    membership = await rows.member(project, other, "viewer")
    pipeline = await rows.pipeline(project, "fuzzed")
    block = await rows.block(pipeline, "a")
    trigger = await rows.trigger(pipeline)
    run = await rows.run(pipeline, trigger_id=trigger["id"], status="failed", steps={"a": "failed"})
    keys = {
        "User": other,
        "Project": project,
        "Membership": membership,
        "Pipeline": pipeline,
        "Block": block,
        "Trigger": trigger["id"],
        "PipelineRun": run.id,
        "Session": (await rows.session(other)).id,
        "ApiKey": (await rows.api_key(other)).id,
    }
    IDS.update({name: global_id(name, key) for name, key in keys.items()})
    SESSION["user"] = user
    return Caller(client)


SESSION: dict[str, int] = {}


async def signed_in(caller: Caller) -> Caller:
    """The fuzzer with a new session: some operations end the one they are called with."""
    return caller.with_token((await rows.session(SESSION["user"])).token)


def check(answer: Answer, asked: object) -> None:
    """The answer is in order, whatever was asked."""
    assert answer.status < 500, (asked, answer.text[:500])
    assert not FAULTS & set(answer.codes), (asked, answer.text[:500])
    assert not [word for word in OURS if word in answer.text], (asked, answer.text[:500])
    assert len(answer.text) < 20_000, asked


@pytest.mark.parametrize("name", [name for name in FIELDS if FIELDS[name][1].args])
async def test_one_bad_value_in_each_place(fuzzer: Caller, name: str, compile_reads: bool) -> None:
    # The long tests, which have the compiler off, try all.
    pick = some_bad_values if compile_reads else lambda of, *_: bad_values(of)
    field = FIELDS[name][1]
    caller, number = await signed_in(fuzzer), 0
    for argument, declared in field.args.items():
        value = {argument: sensible(declared.type, (argument,), "", number)}
        for path, of in leaves(declared.type, value[argument], (argument,)):
            if "nodes" in getattr(get_named_type(field.type), "fields", {}) and _is_done(
                declared.type, path, of
            ):
                continue
            for bad in pick(of, path[-1], number):
                number += 1
                base = {
                    n: sensible(a.type, (n,), "", number)
                    for n, a in field.args.items()
                    if isinstance(a.type, GraphQLNonNull) or n == argument
                }
                variables = replaced(base, path, bad)
                answer = await caller(document(name), variables)
                if answer.codes == ["UNAUTHENTICATED"]:
                    caller = await signed_in(fuzzer)
                check(answer, variables)


def anything(of: Any, path: tuple[str, ...], owner: str) -> st.SearchStrategy[Any]:
    """A sensible value or, now and then, any other."""
    bare = of.of_type if isinstance(of, GraphQLNonNull) else of
    if isinstance(bare, GraphQLList):
        inner = anything(bare.of_type, path, owner)
        good: st.SearchStrategy[Any] = st.lists(inner, max_size=3)
    elif isinstance(bare, GraphQLInputObjectType):
        parts = {
            name: st.deferred(
                lambda field=field, name=name, bare=bare: anything(
                    field.type, (*path, name), bare.name
                )
            )
            for name, field in bare.fields.items()
            if len(path) < 5 or not isinstance(get_named_type(field.type), GraphQLInputObjectType)
        }
        needed = {n for n in parts if isinstance(bare.fields[n].type, GraphQLNonNull)}
        if bare.is_one_of:
            good = st.one_of(*(st.fixed_dictionaries({n: s}) for n, s in parts.items()))
        else:
            good = st.fixed_dictionaries(
                {n: parts[n] for n in needed},
                optional={n: parts[n] for n in parts if n not in needed},
            )
    else:
        good = st.integers(0, 10**6).map(lambda n: sensible(bare, path, owner, n))
        if bare.name == "String":
            good |= st.text(max_size=20)
        if bare.name == "JSON":
            good |= JSON
    if isinstance(of, GraphQLNonNull):
        return st.one_of(good, good, good, st.sampled_from(bad_values(bare)))
    return st.one_of(good, good, st.none(), st.sampled_from(bad_values(bare)))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A root field with values for its arguments."""
    name = draw(st.sampled_from([n for n in FIELDS if n not in ("userCreate", "sessionCreate")]))
    args = FIELDS[name][1].args
    return name, {
        n: draw(anything(a.type, (n,), ""))
        for n, a in args.items()
        if isinstance(a.type, GraphQLNonNull) or draw(st.booleans())
    }


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(asked=operations())
async def test_any_values_in_all_places(fuzzer: Caller, asked: tuple[str, dict[str, Any]]) -> None:
    name, variables = asked
    check(await (await signed_in(fuzzer))(document(name), variables), asked)


@pytest.mark.parametrize(
    "text",
    ['"\\u0000"', '"a\\u0000b"', '"""\\u0000"""', '"\\u{0}"'],
    ids=["one", "two", "raw", "brace"],
)
async def test_nul_in_a_document_is_refused(fuzzer: Caller, text: str) -> None:
    if text.startswith('"""'):
        text = '"""\0"""'
    answer = await (await signed_in(fuzzer))(f"{{ pipeline(by: {{uuid: {text}}}) {{ id }} }}")
    assert set(answer.codes) <= {"BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED"}
    assert answer.codes


async def test_nul_in_variables_is_refused(fuzzer: Caller) -> None:
    caller = await signed_in(fuzzer)
    query = "query($w: PipelineFilter) { pipelines(where: $w) { totalCount } }"
    for where in ({"name": {"eq": "\0"}}, {"tags": {"hasAny": ["a", "b\0"]}}):
        assert (await caller(query, w=where)).codes == ["BAD_USER_INPUT"]
    create = "mutation($i: PipelineCreateInput!) { pipelineCreate(input: $i) { errors { code } } }"
    for variables in ({"k": "\0"}, {"\0": 1}, {"k": [{"d": ["\0"]}]}):
        answer = await caller(create, i={"name": "nul", "variables": variables})
        assert answer.codes == ["BAD_USER_INPUT"]


async def test_variables_of_very_many_objects_are_refused(fuzzer: Caller) -> None:
    where = {"or": [{"name": {"eq": "x"}}] * 6000}
    answer = await (await signed_in(fuzzer))(
        "query($w: PipelineFilter) { pipelines(where: $w) { totalCount } }", w=where
    )
    assert answer.codes == ["BAD_USER_INPUT"]
    assert "10000 objects" in answer.text


async def test_a_body_of_ten_megabytes_is_refused(fuzzer: Caller) -> None:
    answer = await (await signed_in(fuzzer))(
        "query($u: String!) { pipeline(by: {uuid: $u}) { id } }", u="x" * 10_000_000
    )
    assert (answer.status, answer.codes) == (413, ["PAYLOAD_TOO_LARGE"])


async def test_texts_of_almost_a_megabyte_are_stored_or_refused(fuzzer: Caller) -> None:
    caller, text = await signed_in(fuzzer), "x" * 1_000_000
    for name, (operation, field) in FIELDS.items():
        if operation == "query" or name in ("userCreate", "passwordChange"):
            continue
        value = sensible(field.args["input"].type, ("input",), "", 77)
        for path, of in leaves(field.args["input"].type, value, ("input",)):
            if is_leaf_type(of) and of.name in ("String", "ID", "Cron"):
                answer = await caller(document(name), replaced({"input": value}, path, text))
                check(answer, (name, path))


async def test_json_of_absurd_depth_is_refused(fuzzer: Caller) -> None:
    caller = await signed_in(fuzzer)
    create = "mutation($i: PipelineCreateInput!) { pipelineCreate(input: $i) { errors { code } } }"
    for depth, told in ((30, []), (50, []), (70, ["BAD_USER_INPUT"]), (5000, ["BAD_USER_INPUT"])):
        nested = '{"n":' * depth + "1" + "}" * depth
        body = '{"query": "%s", "variables": {"i": {"name": "d%d", "variables": %s}}}'
        response = await caller.client.post(
            "/v2/graphql",
            content=body % (create, depth, nested),
            headers={"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"},
        )
        answer = Answer(response.status_code, response.json(), response.text)
        check(answer, depth)
        assert answer.codes == told
        if depth == 50:
            assert answer.fault == "INVALID"
