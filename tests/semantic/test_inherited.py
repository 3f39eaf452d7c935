"""A table that extends a guarded one is guarded like it, whatever it says anew."""

import hashlib
from typing import Any

import asyncpg
import pytest

from app.semantic.model import ModelErrors, load
from tests.semantic.places import files
from tests.semantic.run import postgres  # noqa: F401
from tests.semantic.test_policies import ANA, BOB, LYON, SECURED, _rows

CHILD = """
  - name: guests
    extends: customers
"""
COUNT = {"measures": ["guests.count"]}
NAMES = {"dimensions": ["guests.name"]}
HIDDEN = {("2",)}
MASKED = {(hashlib.md5(name.encode()).hexdigest(),) for name in ("Alma Reyes", "Chen Wei")}
SEGMENT = 'segments: [{name: lyon_only, sql: "{TABLE}.city IS NOT NULL"%s}]'
NAME = "dimensions: [{name: name, sql: lower(name), type: string%s}]"
LOWER = {(hashlib.md5(name.encode()).hexdigest(),) for name in ("alma reyes", "chen wei")}


def _texts(*said: str) -> dict[str, str]:
    """The sample model, guarded, with a table that extends customers and says this."""
    texts = files()
    customers = texts["tables/customers.yml"].replace("meta:\n          pii: true", SECURED)
    customers = customers.replace("    segments:", f"    segments:{LYON}", 1)
    child = CHILD + "".join(f"    {one}\n" for one in said)
    return {**texts, "tables/customers.yml": customers.rstrip() + "\n" + child.lstrip("\n")}


async def _seen(connection: Any, query: dict[str, Any], *said: str) -> set[tuple[Any, ...]]:
    return set(await _rows(connection, query, ANA, load(_texts(*said))))


@pytest.mark.parametrize(
    "said",
    ["", "segments: []", "segments:", "segments: [{name: more, sql: '{TABLE}.vip'}]"],
)
async def test_row_filters_are_inherited(
    said: str,
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    assert await _seen(postgres, COUNT, *filter(None, [said])) == HIDDEN


@pytest.mark.parametrize(
    ("meta", "left"),
    [
        ("", "5"),
        (", meta: {note: mine}", "5"),
        (", meta:", "5"),
        (", meta: {secure: }", "5"),
        (", meta: {secure: {user_groups: [analyst]}}", "5"),
        (", meta: {secure: {user_groups: [default]}}", "6"),
    ],
)
async def test_a_row_filter_said_anew_is_for_whom_it_was(
    meta: str,
    left: str,
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    """Its SQL is the child's; whom it is for is the parent's word, unless the child has its own."""
    assert await _seen(postgres, COUNT, SEGMENT % meta) == {(left,)}


@pytest.mark.parametrize(
    ("meta", "seen"),
    [
        ("", LOWER),
        (", meta: {pii: true}", LOWER),
        (", meta: {secure: }", LOWER),
        (", meta: {secure: {func: redact, user_groups: '*'}}", {("--redact--",)}),
        (
            ", meta: {secure: {func: md5, user_groups: [default]}}",
            {("alma reyes",), ("chen wei",)},
        ),
    ],
)
async def test_a_mask_stays_on_a_dimension_that_is_said_anew(
    meta: str,
    seen: set[tuple[str]],
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    assert await _seen(postgres, NAMES, NAME % meta) == seen
    assert await _seen(postgres, NAMES) == MASKED


async def test_policies_are_inherited_over_generations(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    texts = _texts(NAME % "", SEGMENT % "")
    texts["tables/kin.yml"] = (
        "tables:\n  - name: kin\n    extends: guests\n    dimensions:\n"
        "      - {name: name, sql: upper(name), type: string}\n"
    )
    model = load(texts)
    found = await _rows(postgres, {"measures": ["kin.count"]}, ANA, model)
    assert found == [("5",)]
    names = await _rows(postgres, {"dimensions": ["kin.name"], "limit": 100}, ANA, model)
    assert (hashlib.md5(b"ALMA REYES").hexdigest(),) in names
    assert ("ALMA REYES",) in await _rows(postgres, {"dimensions": ["kin.name"]}, BOB, model)


def test_what_is_hidden_stays_hidden_when_it_is_said_anew() -> None:
    texts = _texts(NAME % "")
    hide = "- name: name\n        sql: name\n"
    assert hide in texts["tables/customers.yml"]
    texts["tables/customers.yml"] = texts["tables/customers.yml"].replace(
        hide, hide + "        shown: false\n", 1
    )
    assert not load(texts).entries["guests"].dimensions["name"].public
    shown = {**texts, "tables/customers.yml": texts["tables/customers.yml"].replace(
        "type: string}]", "type: string, public: true}]"
    )}  # fmt: skip
    assert load(shown).entries["guests"].dimensions["name"].public


def test_two_of_one_name_in_a_table_that_extends_are_a_fault() -> None:
    twice = "segments: [{name: lyon_only, sql: '1=1'}, {name: lyon_only, sql: '2=2'}]"
    with pytest.raises(ModelErrors, match="it is twice among the segments"):
        load(_texts(twice))


def test_a_policy_that_is_said_anew_and_is_broken_is_a_fault() -> None:
    with pytest.raises(ModelErrors, match=r"guests.name.meta.secure: user_groups is missing"):
        load(_texts(NAME % ", meta: {secure: {func: md5}}"))
