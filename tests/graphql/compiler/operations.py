"""Read operations made at random from the schema: selections, arguments, aliases, directives."""

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from app.core.ids import global_id, parse_global_id

TEXTS = (
    "a",
    "daily",
    "arwen_starlight",
    "load",
    "ed",
    "",
    "%",
    "_",
    "by call",
    "Ü",
    "'",
    "\\",
    '"x',
)
NUMBERS = (0, 1, 2, 3, 5, 101, -1)
MOMENTS = ("2026-03-02T00:00:02Z", "2026-01-03T00:00:00+02:00", "2030-01-01T00:00:00.5Z")
KINDS: dict[str, tuple[str, ...]] = {
    "project": tuple(global_id("Project", n) for n in (1, 102, 103, 999)),
    "backfill": tuple(global_id("Backfill", n) for n in (1, 2)),
    "step": tuple(global_id("RunStep", n) for n in (1, 2, 3)),
    "run": tuple(
        global_id("PipelineRun", f"01900000-0000-7000-8000-00000000000{n}") for n in (1, 2, 4)
    ),
    "pipeline": tuple(global_id("Pipeline", n) for n in (1, 2, 5)),
    "trigger": tuple(global_id("Trigger", n) for n in (1, 4)),
    "block": tuple(global_id("Block", n) for n in (1, 6)),
    "syncsource": tuple(global_id("SyncSource", n) for n in (1, 2, 3)),
    "syncdestination": tuple(global_id("SyncDestination", n) for n in (1, 2)),
    "syncjob": tuple(global_id("SyncJob", n) for n in (1, 3, 4)),
    "leadgroup": tuple(global_id("LeadGroup", n) for n in (1, 2)),
    "lead": tuple(global_id("Lead", n) for n in (1, 2, 5)),
    "organization": tuple(global_id("Organization", n) for n in (1, 2)),
    "attachment": tuple(global_id("Attachment", n) for n in (1, 2)),
    "usergroup": tuple(global_id("UserGroup", n) for n in (1,)),
    "synctask": tuple(
        global_id("SyncTask", f"01900000-0000-7000-8000-00000000010{n}") for n in (1, 2, 3)
    ),
}
"""Ids by a word in the name of the root field that takes them."""
IDS = (*(one for ids in KINDS.values() for one in ids), "rubbish")
DEPTH = 3


@dataclass
class Operation:
    """One operation with its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class Writer:
    """Writes one operation."""

    schema: GraphQLSchema
    dice: random.Random
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    root: str = ""

    def operation(self) -> Operation:
        """A query of one or two root fields."""
        query = self.schema.query_type
        assert query is not None
        apart = ("node", "nodes") if self._now(0.95) else ()
        roots = [name for name in query.fields if not name.startswith("__") and name not in apart]
        chosen = self.dice.sample(roots, self.dice.choice((1, 1, 1, 2)))
        body = " ".join(self._root(name, query.fields[name]) for name in chosen)
        return self.wrapped("query", body)

    def node(self) -> Operation:
        """A query of objects by their ids, most of which there are."""
        body = " ".join(self._node(number) for number in range(self.dice.choice((1, 1, 2))))
        return self.wrapped("query", f"{body} {self._nodes() if self._now(0.4) else ''}")

    def _nodes(self) -> str:
        ids = [self.dice.choice(IDS) for _ in range(self.dice.choice((1, 2, 6)))]
        kind = (parse_global_id(ids[0]) or ("Pipeline", ""))[0]
        self.variables["ids"] = ids
        self.declared.append("$ids: [ID!]!")
        return f"nodes(ids: $ids) {{ __typename ... on {kind} {self.selection(kind)} }}"

    def _node(self, number: int) -> str:
        gid = self.dice.choice(IDS)
        self.root = ""
        kind = (parse_global_id(gid) or ("Pipeline", ""))[0]
        given = f"$id{number}" if self._now(0.5) else f'"{gid}"'
        if given[0] == "$":
            self.variables[f"id{number}"] = gid
            self.declared.append(f"{given}: ID!")
        more = self.dice.choice(("", "id", "__typename", "... on Timestamped { createdAt }"))
        return f"n{number}: node(id: {given}) {{ {more} ... on {kind} {self.selection(kind)} }}"

    def selection(self, name: str) -> str:
        """What may be selected of an object of this type."""
        return self._selection(self.schema.type_map[name], DEPTH)

    def wrapped(self, kind: str, body: str) -> Operation:
        """An operation around root fields, with the variables and fragments of their selections."""
        head = f"{kind}({', '.join(self.declared)})" if self.declared else kind
        text = f"{head} {{ {body} }} {' '.join(self.fragments)}"
        return Operation(text, dict(self.variables))

    def _root(self, name: str, of: GraphQLField) -> str:
        self.root = name
        return self._field(name, of, DEPTH, alias="r")

    def _field(self, name: str, of: GraphQLField, depth: int, alias: str = "x") -> str:
        shown = f"{alias}{self.dice.randrange(3)}_{name}: {name}" if self._now(0.2) else name
        target = get_named_type(of.type)
        text = shown + self._arguments(of.args) + self._directive()
        return text if is_leaf_type(target) else f"{text} {self._selection(target, depth)}"

    def _selection(self, of: Any, depth: int) -> str:
        assert isinstance(of, GraphQLObjectType | GraphQLInterfaceType)
        names = [n for n, f in of.fields.items() if self._fits(f, depth)]
        chosen = self.dice.sample(names, min(len(names), self.dice.randint(1, 6)))
        parts = [self._field(n, of.fields[n], depth - 1) for n in chosen]
        if self._now(0.2) or not parts:
            parts.insert(0, "__typename")
        if isinstance(of, GraphQLInterfaceType):
            parts += [self._variant(v, of) for v in self.schema.get_possible_types(of)]
        elif self._now(0.15):
            parts = [self._fragment(of, parts), *parts[:1]]
        return "{ " + " ".join(parts) + " }"

    def _fits(self, of: GraphQLField, depth: int) -> bool:
        if any(is_required_argument(argument) for argument in of.args.values()):
            return False
        return depth > 0 or is_leaf_type(get_named_type(of.type))

    def _variant(self, of: GraphQLObjectType, interface: GraphQLInterfaceType) -> str:
        names = [n for n, f in of.fields.items() if n not in interface.fields and self._fits(f, 0)]
        chosen = self.dice.sample(names, min(len(names), 2)) if self._now(0.7) else []
        inner = " ".join(["__typename", *(f"v_{of.name}_{n}: {n}" for n in chosen)])
        return f"... on {of.name} {{ {inner} }}"

    def _fragment(self, of: Any, parts: list[str]) -> str:
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {of.name} {{ {' '.join(parts)} }}")
        return f"...{name}"

    def _directive(self) -> str:
        if not self._now(0.08):
            return ""
        word, value = self.dice.choice(("skip", "include")), self._now(0.5)
        if self._now(0.5):
            return f" @{word}(if: {str(value).lower()})"
        return f" @{word}(if: ${self._variable('Boolean!', value)})"

    def _arguments(self, arguments: dict[str, GraphQLArgument]) -> str:
        given = []
        for name, of in arguments.items():
            if not is_required_argument(of) and not self._now(0.35):
                continue
            rare = {"last": 0.3, "before": 0.02, "after": 0.02}
            if name in rare and not self._now(rare[name]):
                continue
            if name == "last" and any(one.startswith("first") for one in given) and self._now(0.9):
                continue
            value = self._value(of.type, name, 2)
            given.append(f"{name}: ${self._variable(str(of.type), value)}")
        return f"({', '.join(given)})" if given else ""

    def _variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name] = value
        self.declared.append(f"${name}: {type_}")
        return name

    def _value(self, type_: Any, name: str, depth: int) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, name, depth)
        if isinstance(type_, GraphQLList):
            count = self.dice.randrange(3) if depth else 0
            return [self._value(type_.of_type, name, depth - 1) for _ in range(count)]
        if isinstance(type_, GraphQLEnumType):
            return self.dice.choice(list(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, depth)
        if name in ("first", "last"):
            return self.dice.choice((1, 2, 3, 7, 20, 100)) if self._now(0.97) else 101
        if name == "offset":
            return self.dice.choice((0, 1, 2, 5))
        choices: dict[str, Any] = {
            "Int": NUMBERS,
            "BigInt": NUMBERS,
            "Boolean": (True, False),
            "DateTime": MOMENTS,
            "Date": ("2026-05-01", "2026-05-02", "1999-12-31"),
            "ID": self._ids(),
        }
        return self.dice.choice(choices.get(type_.name, TEXTS))

    def _ids(self) -> tuple[str, ...]:
        """Mostly ids of what is asked for."""
        kind = next((k for k in KINDS if k in self.root.lower()), None)
        return IDS if kind is None or self._now(0.1) else KINDS[kind]

    def _object(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        names = list(type_.fields)
        if type_.extensions["strawberry-definition"].is_one_of:
            name = self.dice.choice(names)
            return {name: self._value(type_.fields[name].type, name, depth)}
        needed = [n for n, f in type_.fields.items() if isinstance(f.type, GraphQLNonNull)]
        wide = [n for n in names if n not in needed and (depth > 0 or self._is_leaf(type_, n))]
        chosen = self.dice.sample(wide, min(len(wide), self.dice.choice((0, 1, 1, 2))))
        return {n: self._value(type_.fields[n].type, n, depth - 1) for n in [*needed, *chosen]}

    def _is_leaf(self, type_: GraphQLInputObjectType, name: str) -> bool:
        return is_leaf_type(get_named_type(type_.fields[name].type))

    def _now(self, chance: float) -> bool:
        return self.dice.random() < chance
