"""Entries that callers see: tables under their own names, views under the names they give."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from app.semantic.model import keys
from app.semantic.model.nouns import (
    Dimension,
    Entry,
    Field,
    M,
    Measure,
    Member,
    Segment,
    Table,
)
from app.semantic.model.tables import plain
from app.semantic.model.texts import Faults, Said
from app.semantic.model.titles import title

Picked = tuple[str, Member]


def of_table(table: Table) -> Entry:
    """The entry of a table."""
    return Entry(
        name=table.name,
        kind="table",
        title=table.title,
        description=table.description,
        public=table.public,
        meta=table.meta,
        measures={one.name: _own(table, one, one.drill_members) for one in table.measures.values()},
        dimensions={one.name: _own(table, one) for one in table.dimensions.values()},
        segments={one.name: _own(table, one) for one in table.segments.values()},
    )


def _own(table: Table, member: M, drill_members: tuple[str, ...] = ()) -> Field[M]:
    short = member.title or title(member.name)
    return Field(
        member.path,
        member,
        (table.name,),
        f"{table.title} {short}",
        short,
        table.public and member.public,
        drill_members,
    )


class Views:
    """Makes views over tables; what is wrong goes to `faults`."""

    def __init__(self, tables: Mapping[str, Table], faults: Faults) -> None:
        self._tables = tables
        self._faults = faults

    def view(self, raw: Said) -> Entry | None:
        """The entry of a view; None for one without a name."""
        said = keys.checked(raw, keys.VIEW, str(raw.get("name") or "views"), self._faults, "name")
        if "name" not in said:
            return None
        name, shown = said["name"], said.get("title") or title(said["name"])
        public = bool(said.get("public", said.get("shown", True)))
        fields: dict[str, Field[Any]] = {}
        for part in said.get("tables", said.get("cubes", ())):
            route = self._route(part, name)
            for called, member in self._picked(part, route, name) if route else ():
                if called in fields:
                    self._faults.add(part.place, f"{name}.{called}", "two members have this name")
                short = member.title or title(called)
                fields[called] = Field(
                    f"{name}.{called}", member, route, f"{shown} {short}", short, public
                )
        return Entry(
            name=name,
            kind="view",
            title=shown,
            description=said.get("description"),
            public=public,
            meta=plain(said.get("meta")),
            measures={key: one for key, one in fields.items() if isinstance(one.member, Measure)},
            dimensions={
                key: one for key, one in fields.items() if isinstance(one.member, Dimension)
            },
            segments={key: one for key, one in fields.items() if isinstance(one.member, Segment)},
        )

    def _route(self, raw: Said, view: str) -> tuple[str, ...]:
        """The tables of a part's `join_path`; empty if it leads nowhere."""
        path = f"{view}.tables"
        part = keys.checked(raw, keys.PART, path, self._faults, "join_path")
        route = tuple(part.get("join_path", "").split("."))
        for name in filter(None, route):
            if name not in self._tables:
                self._faults.add(part.at("join_path"), path, f"there is no table {name}")
                return ()
        for source, target in pairwise(route):
            if target not in self._tables[source].joins:
                words = f"{source} has no join to {target}"
                self._faults.add(part.at("join_path"), path, words)
                return ()
        return route if "join_path" in part else ()

    def _picked(self, part: Said, route: tuple[str, ...], view: str) -> list[Picked]:
        table = self._tables[route[-1]]
        names = self._included(part, table, view)
        left_out = set(part.get("excludes", ()))
        for name in left_out - table.members.keys():
            self._missing(part, "excludes", table, name, view)
        before = f"{part.get('alias', table.name)}_" if part.get("prefix") else ""
        return [
            (before + called, table.members[name])
            for name, called in names
            if name not in left_out and name in table.members
        ]

    def _included(self, part: Said, table: Table, view: str) -> list[tuple[str, str]]:
        """Names of members, each with the name that the view gives it."""
        includes = part.get("includes", ())
        if includes == "*":
            return [(name, name) for name, one in table.members.items() if one.public]
        names: list[tuple[str, str]] = []
        for one in includes if isinstance(includes, list) else ():
            if isinstance(one, Said) and {"name"} <= one.keys() <= {"name", "alias"}:
                names.append((str(one["name"]), str(one.get("alias", one["name"]))))
            elif isinstance(one, str):
                names.append((one, one))
            else:
                words = "includes has names, or mappings of name and alias"
                self._faults.add(part.at("includes"), f"{view}.tables.includes", words)
        for name, _ in names:
            if name not in table.members:
                self._missing(part, "includes", table, name, view)
        return names

    def _missing(self, part: Said, key: str, table: Table, name: str, view: str) -> None:
        words = f"{table.name} has no member {name}"
        self._faults.add(part.at(key), f"{view}.tables.{key}", words)
