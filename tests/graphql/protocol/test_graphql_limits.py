"""Abuse: each probe is refused with a code, soon, and the server answers afterwards."""

import asyncio
from typing import Any

import pytest
from graphql import get_introspection_query

from app.graphql.documents import Documents
from app.graphql.errors import Refused
from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy
from tests.graphql.protocol.toy import SCHEMA

COMPLEX = "QUERY_TOO_COMPLEX"
INVALID = "GRAPHQL_VALIDATION_FAILED"
UNPARSED = "GRAPHQL_PARSE_FAILED"
BAD = "BAD_USER_INPUT"


def chain(length: int, width: int = 2) -> str:
    """Fragments that each spread the next one `width` times: width**length fields."""
    parts = ["{ person { ...F0 } }"]
    for n in range(length):
        spreads = f"...F{n + 1} " * width
        parts.append(f"fragment F{n} on Person {{ {spreads} }}")
    return " ".join([*parts, f"fragment F{length} on Person {{ name }}"])


def nested_chain(length: int) -> str:
    """The same, with a field and an alias at each level."""
    parts = ["{ person { ...F0 } }"]
    for n in range(length):
        parts.append(
            f"fragment F{n} on Person {{ a: self_ {{ ...F{n + 1} }} b: self_ {{ ...F{n + 1} }} }}"
        )
    return " ".join([*parts, f"fragment F{length} on Person {{ name }}"])


def deep(levels: int) -> str:
    """Fields inside fields."""
    return "{ person " + "{ self_ " * levels + "{ name }" + "}" * levels + "}"


def inline(levels: int) -> str:
    """Inline fragments inside inline fragments."""
    return "{ person { " + "... on Person { " * levels + "name" + " }" * levels + " } }"


def deep_value(levels: int) -> str:
    """A list literal inside lists."""
    return "{ echo(value: " + "[" * levels + "]" * levels + ") }"


TYPE_REF = "type { fields { name "
LISTS = "friends(first: 100) { nodes { "
MANY_NAMES = "".join(f"a{n}: name " for n in range(1000))

PROBES: dict[str, tuple[Any, str]] = {
    "12 chained two-fold fragments": (chain(12), COMPLEX),
    "16 chained two-fold fragments": (chain(16), COMPLEX),
    "20 chained two-fold fragments": (chain(20), COMPLEX),
    "30 chained two-fold fragments": (chain(30), COMPLEX),
    "200 chained two-fold fragments": (chain(200), COMPLEX),
    "8 chained ten-fold fragments": (chain(8, 10), COMPLEX),
    "20 chained fragments with aliases": (nested_chain(20), COMPLEX),
    "600 chained single fragments": (chain(600, 1), COMPLEX),
    "fields 13 deep": (deep(12), COMPLEX),
    "fields 100 deep": (deep(100), COMPLEX),
    "fields 1000 deep": (deep(1000), COMPLEX),
    "fields 2000 deep, never closed": ("{ self_ " * 2000, COMPLEX),
    "4000 repeated fields": ("{ person { " + "name " * 4000 + "} }", COMPLEX),
    "4000 repeated root fields": ("{ " + "hello " * 4000 + "}", COMPLEX),
    "800 nested inline fragments": (inline(800), COMPLEX),
    "150 nested inline fragments": (inline(150), COMPLEX),
    "240 times the same three fields": (
        "{ person { " + "self_ { self_ { name } } " * 240 + "} }",
        COMPLEX,
    ),
    "300 times a field with arguments": (
        "{ person { " + "friends(first: 1) { totalCount } " * 300 + "} }",
        COMPLEX,
    ),
    "240 fragments with the same fields": (
        "{ person { "
        + "".join(f"...F{n} " for n in range(240))
        + "} } "
        + "".join(f"fragment F{n} on Person {{ name self_ {{ name }} }} " for n in range(240)),
        COMPLEX,
    ),
    "1200 spreads of an empty fragment": (
        "{ person { " + "...F " * 1200 + "} } fragment F on Person { }",
        COMPLEX,
    ),
    "an input object with 1600 unknown fields": (
        "{ wished(wish: {" + "".join(f"a{n}: 1 " for n in range(1600)) + "}) }",
        INVALID,
    ),
    "1500 inline fragments side by side": (
        "{ person { " + "... { name } " * 1500 + "} }",
        COMPLEX,
    ),
    "1000 aliases": ("{ person { " + MANY_NAMES + "} }", COMPLEX),
    "31 aliases of a costly field": (
        "{ person { " + "".join(f"a{n}: friends {{ totalCount }} " for n in range(31)) + "} }",
        COMPLEX,
    ),
    "11 root fields": ("{ " + "".join(f"a{n}: hello " for n in range(11)) + "}", COMPLEX),
    "11 root fields through fragments": (
        "{ ...A ...B } fragment A on Query { "
        + "".join(f"a{n}: hello " for n in range(6))
        + "} fragment B on Query { "
        + "".join(f"b{n}: hello " for n in range(6))
        + "}",
        COMPLEX,
    ),
    "1000 mutations in one document": (
        "mutation { " + "".join(f"a{n}: count " for n in range(1000)) + "}",
        COMPLEX,
    ),
    "21 directives on one field": ("{ hello " + "@include(if: true) " * 21 + "}", COMPLEX),
    "1500 unknown directives": ("{ hello " + "@x" * 1500 + " }", COMPLEX),
    "110 directives in all": ("{ person { " + "name @skip(if: false) " * 110 + "} }", COMPLEX),
    "1500 directives on the operation": ("query " + "@x" * 1500 + " { hello }", COMPLEX),
    "20000 tokens": ("{ hello " + "hello " * 20_000 + "}", COMPLEX),
    "a document of 200 KiB of spaces": ("{ hello " + " " * 200_000 + "}", COMPLEX),
    "60000 comments": ("#\n" * 60_000 + "{ helo }", INVALID),
    "900 KiB of unknown fields": ("{ " + "x " * 450_000 + "}", COMPLEX),
    "fragment cycle of one": ("{ person { ...A } } fragment A on Person { ...A }", INVALID),
    "fragment cycle of two": (
        "{ person { ...A } } fragment A on Person { name ...B } fragment B on Person { ...A }",
        INVALID,
    ),
    "fragment cycle that nothing uses": (
        "{ hello } fragment A on Person { self_ { ...A } }",
        INVALID,
    ),
    "1000 operations": ("".join(f"query Q{n} {{ hello }} " for n in range(1000)), COMPLEX),
    "1000 variables": (
        "query (" + "".join(f"$v{n}: Int " for n in range(1000)) + ") { hello }",
        INVALID,
    ),
    "a million objects by nested pages": (
        "{ person { " + LISTS * 3 + "name" + "}}" * 3 + "}}",
        COMPLEX,
    ),
    "a million objects by variables": (
        {
            "query": "query ($n: Int = 100) { person { friends(first: $n) { nodes "
            "{ friends(last: $n) { nodes { friends(first: $n) { totalCount } } } } } } }",
            "variables": {"n": 90},
        },
        COMPLEX,
    ),
    "a million objects by fragments": (
        "{ person { ...A } } fragment A on Person { friends(first: 100) { nodes { ...B } } } "
        "fragment B on Person { friends(first: 100) { nodes { ...C } } } "
        "fragment C on Person { friends(first: 100) { nodes { name } } }",
        COMPLEX,
    ),
    "two thousand million objects": ("{ people(first: 2000000000) { name } }", COMPLEX),
    "introspection 40 deep": ("{ __schema { types { " + TYPE_REF * 20 + "}" * 42 + "}", COMPLEX),
    "introspection list bomb": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name "
        "} } } } } } } } } }",
        INVALID,
    ),
    "introspection bomb by root aliases": (
        "{ "
        + "".join(
            f"a{n}: __schema {{ types {{ fields {{ type {{ "
            "fields { args { name } } inputFields { name } enumValues { name } } } } } "
            for n in range(10)
        )
        + "}",
        COMPLEX,
    ),
    "an integer of 5000 digits": ("{ numbers(values: [" + "9" * 5000 + "]) }", INVALID),
    "an integer of 5000 digits as variable": (
        {
            "query": "query ($v: [Int!]!) { numbers(values: $v) }",
            "variables": {"v": [10**300]},
        },
        BAD,
    ),
    "a number that overflows": ("{ numbers(values: [1e999999]) }", INVALID),
    "a list literal 150 deep": (deep_value(150), "none"),
    "a list literal 1000 deep": (deep_value(1000), COMPLEX),
    "an input object 190 deep": (
        "{ wished(wish: " + "{name: 1 inner: " * 190 + "null" + "}" * 190 + ") }",
        INVALID,
    ),
    "100000 values of the wrong type": (
        {
            "query": "query ($v: [Int!]!) { numbers(values: $v) }",
            "variables": {"v": ["x"] * 100_000},
        },
        BAD,
    ),
    "1000 unknown fields": ("{ person { " + "".join(f"x{n} " for n in range(999)) + "} }", INVALID),
    "a name of 100 KiB": ("{ " + "a" * 100_000 + " }", INVALID),
    "NUL in the document": ("{ hello\x00 }", UNPARSED),
    "NUL in a string": ('{ hello(name: "a\\u0000b") }', BAD),
    "NUL in a variable": (
        {"query": "query ($n: String!) { hello(name: $n) }", "variables": {"n": "a\x00"}},
        BAD,
    ),
    "a type definition": ("type Query { a: Int }", INVALID),
    "only a fragment": ("fragment A on Person { name }", INVALID),
    "only a comment": ("# nothing", UNPARSED),
    "a subscription without a stream": ("subscription { count }", "NOT_ACCEPTABLE"),
    "two subscriptions in one": (
        "subscription { a: count b: count }",
        INVALID,
    ),
}


@pytest.mark.parametrize("name", PROBES)
async def test_probe_is_refused_with_a_code_and_the_server_lives(toy: Toy, name: str) -> None:
    probe, expected = PROBES[name]
    body = probe if isinstance(probe, dict) else {"query": probe}
    async with asyncio.timeout(5):
        response = await toy.post(body, accept="application/json")
    if expected != "none":
        assert response.json()["errors"][0]["extensions"]["code"] == expected
        assert "data" not in response.json()
    assert all("code" in error["extensions"] for error in response.json().get("errors", []))
    assert len(response.json().get("errors", [])) <= 20
    assert len(response.content) < 16 * 1024
    async with asyncio.timeout(5):
        assert (await toy.query("{ hello }"))["data"] == {"hello": "hello world"}


def test_the_table_of_abuse_is_long_enough() -> None:
    assert len(PROBES) >= 40


async def test_introspection_of_tools_passes_the_limits(toy: Toy) -> None:
    text = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    body = await toy.query(text)
    assert "errors" not in body
    assert body["data"]["__schema"]["queryType"]["name"] == "Query"


@pytest.mark.parametrize(
    "text",
    [
        deep(10),
        "{ person { " + "".join(f"a{n}: name " for n in range(30)) + "} }",
        "{ person { " + LISTS * 2 + "name" + "}}" * 2 + "}}",
        "{ ...A ...A } fragment A on Query { person { name } hello }",
        "{ hello @skip(if: true) person { name @include(if: true) } }",
        '{ hello(name: "C:\\\\u0000") }',
    ],
)
async def test_document_within_the_limits_runs(toy: Toy, text: str) -> None:
    assert "errors" not in await toy.query(text)


def test_refused_documents_are_remembered_and_the_memory_is_bounded() -> None:
    documents = Documents(SCHEMA, GraphQLSettings(cached_documents=3, cached_text=100))
    good = documents.get("{ hello }")
    assert documents.get("{ hello }") is good
    for text in ("{ helo }", "{ helo }"):
        with pytest.raises(Refused):
            documents.get(text)
    assert len(documents._kept) == 2
    documents.get("{ hello } #" + "x" * 90)
    assert documents.get("{ hello }") is not good
    for number in range(10):
        with pytest.raises(Refused):
            documents.get(f"{{ x{number} }}")
    assert len(documents._kept) == 3


async def test_errors_of_one_document_are_at_most_20_and_8_kib(toy: Toy) -> None:
    names = " ".join(f"{'x' * 900}{n}" for n in range(50))
    body = await toy.query(f"{{ person {{ {names} }} }}")
    assert 1 <= len(body["errors"]) <= 20
    assert sum(len(error["message"]) for error in body["errors"]) <= 8 * 1024
