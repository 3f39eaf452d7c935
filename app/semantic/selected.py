"""What is selected below `table` as a query, and its rows as what was selected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from graphql import GraphQLObjectType, get_named_type
from graphql.execution.values import VariableValues

from app.core.errors import DomainError, NotFound
from app.graphql.compiler.selection import Selected, Selections
from app.graphql.context import Context
from app.semantic.asker import PERMISSION, Asker, caller_of
from app.semantic.load import load_rows
from app.semantic.loaded import Loaded, current
from app.settings import get_settings

_OPERATORS = {"in": "equals", "notIn": "notEquals"}
_RANGE = "inDateRange"


class ContinueWait(DomainError):
    """The query goes on: whoever asks again gets its answer."""

    code = "CONTINUE_WAIT"


@dataclass(frozen=True)
class Row:
    """A row of the answer, by members, and the zone of its times."""

    values: Mapping[str, Any]
    zone: ZoneInfo


async def ask(info: Any, loaded: Loaded, arguments: Mapping[str, Any]) -> list[Row]:
    """The rows of what a root field selects; ContinueWait where they take too long."""
    context: Context = info.context
    newest = await current(loaded.project_id)
    # The types are those of one version; its data sources may have other settings by now.
    same = newest is not None and newest.id == loaded.id
    who = _asker(context, newest if same and newest else loaded)
    query = _Reader(info, arguments).query()
    settings = get_settings()
    longest = settings.door.operation_timeout_s * 0.8
    found = await load_rows(who, query, min(settings.semantic.continue_wait_s, longest))
    if found is None:
        raise ContinueWait("Continue wait")
    context.hand_out(len(found))
    zone = ZoneInfo(query["timezone"]) if "timezone" in query else ZoneInfo("UTC")
    return [Row(values, zone) for values in found]


def _asker(context: Context, loaded: Loaded) -> Asker:
    subject = context.subject
    subject.require_known()
    if not subject.may(PERMISSION, loaded.project_id):
        raise NotFound("There is no such model.")
    who = Asker(loaded, caller_of(subject))
    who.require("graphql")
    who.require("data")
    return who


@dataclass
class _Reader:
    """Makes a query of a selection."""

    info: Any
    arguments: Mapping[str, Any]
    measures: list[str] = field(default_factory=list)
    dimensions: list[str] = field(default_factory=list)
    times: list[tuple[str, str]] = field(default_factory=list)
    ranges: dict[str, Any] = field(default_factory=dict)
    filters: list[dict[str, Any]] = field(default_factory=list)
    order: list[list[str]] = field(default_factory=list)

    def query(self) -> dict[str, Any]:
        """The query, as /v2/load takes it."""
        info = self.info
        given = VariableValues({}, info.variable_values)
        selections = Selections(info.schema, info.operation, info.fragments, given)
        result = get_named_type(info.return_type)
        assert isinstance(result, GraphQLObjectType)
        where, order = self.arguments.get("where") or {}, self.arguments.get("orderBy") or {}
        self._root_where(where)
        for table, directions in order.items():
            self._ordered(table, directions or {})
        for table in selections.of(result, [n.selection_set for n in info.field_nodes]):
            if table.definition is not None:
                self._table(selections, table)
        return self._made()

    def _made(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "measures": _distinct(self.measures),
            "dimensions": _distinct(self.dimensions),
            "timeDimensions": list(self._time_dimensions()),
            "filters": self.filters,
        }
        if self.order:
            made["order"] = self.order
        given = {name: self.arguments.get(name) for name in _PASSED}
        return {**made, **{name: value for name, value in given.items() if value is not None}}

    def _time_dimensions(self) -> Iterator[dict[str, Any]]:
        asked = list(dict.fromkeys(self.times))
        for member, granularity in asked:
            ranged = {"dateRange": self.ranges[member]} if member in self.ranges else {}
            yield {"dimension": member, "granularity": granularity, **ranged}
        for member, ranged in self.ranges.items():
            if member not in {name for name, _ in asked}:
                yield {"dimension": member, "dateRange": ranged}

    def _table(self, selections: Selections, table: Selected) -> None:
        assert table.definition is not None
        name = table.field_name
        given = selections.arguments(table)
        self._where(name, given.get("where") or {})
        self._ordered(name, given.get("orderBy") or {})
        members = get_named_type(table.definition.type)
        assert isinstance(members, GraphQLObjectType)
        for one in selections.of(members, table.sets):
            if one.definition is not None:
                self._member(selections, f"{name}.{one.field_name}", one)

    def _member(self, selections: Selections, path: str, one: Selected) -> None:
        assert one.definition is not None
        type_ = get_named_type(one.definition.type)
        if not isinstance(type_, GraphQLObjectType):
            is_measure = one.definition.extensions.get("is_measure")
            (self.measures if is_measure else self.dimensions).append(path)
            return
        for part in selections.of(type_, one.sets):
            if part.definition is None:
                continue
            if part.field_name == "value":
                is_measure = one.definition.extensions.get("is_measure")
                (self.measures if is_measure else self.dimensions).append(path)
            else:
                self.times.append((path, part.field_name))

    def _ordered(self, table: str, directions: Mapping[str, str]) -> None:
        self.order += [[f"{table}.{member}", way] for member, way in directions.items()]

    def _root_where(self, where: Mapping[str, Any]) -> None:
        for name, condition in where.items():
            if name in ("AND", "OR"):
                parts = [{"and": _rooted(one)} for one in condition or ()]
                self.filters.append({name.lower(): parts})
            else:
                self._where(name, condition or {})

    def _where(self, table: str, where: Mapping[str, Any]) -> None:
        """The conditions on a table; the first range of a time becomes that of its time dimension."""
        for name, condition in where.items():
            path = f"{table}.{name}"
            ranged = name not in ("AND", "OR") and (condition or {}).get(_RANGE)
            # What is no range stays a filter, which says so.
            if ranged and all(ranged) and path not in self.ranges:
                self.ranges[path] = ranged[0] if len(ranged) == 1 else ranged
                condition = {n: v for n, v in condition.items() if n != _RANGE}
            self.filters += _filters(table, {name: condition})


_PASSED = ("limit", "offset", "timezone", "renewQuery", "ungrouped")


def _rooted(where: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, condition in where.items():
        if name in ("AND", "OR"):
            found.append({name.lower(): [{"and": _rooted(one)} for one in condition or ()]})
        else:
            found += _filters(name, condition or {})
    return found


def _filters(table: str, where: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, condition in where.items():
        if name in ("AND", "OR"):
            parts = [{"and": _filters(table, one)} for one in condition or ()]
            found.append({name.lower(): parts})
            continue
        for operator, value in (condition or {}).items():
            found.append(_filter(f"{table}.{name}", operator, value))
    return found


def _filter(member: str, operator: str, value: Any) -> dict[str, Any]:
    if operator == "set":
        return {"member": member, "operator": "set" if value else "notSet"}
    values = value if isinstance(value, list) else [value]
    named = _OPERATORS.get(operator, operator)
    return {"member": member, "operator": named, "values": [_value(one) for one in values]}


def _value(value: Any) -> Any:
    """Numbers as the database reads them: 1, not 1.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None else str(value)


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def float_of(row: Row, path: str) -> float | None:
    """A number."""
    value = row.values.get(path)
    return None if value is None else float(value)


def text_of(row: Row, path: str) -> str | None:
    """A text; true and false as words."""
    value = row.values.get(path)
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def time_of(row: Row, path: str) -> tuple[Row, str] | None:
    """A time, whose fields `moment_of` reads; null where the row has none."""
    own = [value for name, value in row.values.items() if (name + ".").startswith(path + ".")]
    return None if None in own else (row, path)


def moment_of(place: tuple[Row, str], name: str) -> datetime:
    """The time itself, or the start of its period, which is in the query's zone."""
    row, path = place
    if name == "value":
        return datetime.fromisoformat(str(row.values[path])).replace(tzinfo=UTC)
    local = datetime.fromisoformat(str(row.values[f"{path}.{name}"]))
    return local.replace(tzinfo=row.zone).astimezone(UTC)
