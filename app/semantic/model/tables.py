"""Tables and their members, made of what a file says about them."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlglot import exp

from app.semantic.model import fragments, keys
from app.semantic.model.fragments import NotSql
from app.semantic.model.nouns import (
    Dimension,
    Fragment,
    Groups,
    Join,
    Mask,
    Measure,
    Place,
    RefreshKey,
    Segment,
    Table,
    Window,
)
from app.semantic.model.texts import Faults, Said
from app.semantic.model.titles import title

T = TypeVar("T")
_EVERY = re.compile(r"(\d+) (second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_INTERVAL = re.compile(r"-?\d+ (minute|hour|day|week|month|quarter|year)s?|unbounded")
_EVERY_TEN_SECONDS = RefreshKey(every=10)


class Tables:
    """Makes tables; what is wrong goes to `faults`. `dialects` are those of the data sources."""

    def __init__(self, faults: Faults, dialects: dict[str, str]) -> None:
        self._faults = faults
        self._dialects = dialects
        self._dialect = "postgres"

    def table(self, raw: Said) -> Table | None:
        """The table that a mapping describes; None for one without a name or without rows."""
        path = _path("tables", raw)
        said = keys.checked(raw, keys.TABLE, path, self._faults, "name")
        data_source = said.get("data_source", "default")
        self._dialect = self._dialects.get(data_source, "postgres")
        source = self._source(said, path)
        if source is None or "name" not in said:
            return None
        name = said["name"]
        members = (
            self._named(said, "dimensions", name, self._dimension),
            self._named(said, "measures", name, self._measure),
            self._named(said, "segments", name, self._segment),
        )
        self._once(name, *members)
        return Table(
            name=name,
            place=raw.place,
            alias=said.get("sql_alias", name),
            source=source,
            text=str(said.get("sql") or said.get("sql_table")),
            title=said.get("title") or title(name),
            description=said.get("description"),
            public=_public(said),
            meta=plain(said.get("meta")),
            data_source=data_source,
            refresh_key=self._refresh_key(said, name),
            joins=self._named(said, "joins", name, self._join),
            dimensions=members[0],
            measures=members[1],
            segments=members[2],
            pre_aggregations=tuple(
                plain(
                    keys.checked(
                        one, keys.PRE_AGGREGATION, f"{name}.pre_aggregations", self._faults
                    )
                )
                for one in said.get("pre_aggregations", ())
            ),
        )

    def _source(self, said: Said, path: str) -> exp.Expr | None:
        if ("sql" in said) == ("sql_table" in said):
            self._faults.add(said.place, path, "give one of sql and sql_table")
            return None
        key = "sql" if "sql" in said else "sql_table"
        parse = fragments.source if key == "sql" else fragments.table
        try:
            return parse(str(said[key]), self._dialect)
        except NotSql as error:
            self._faults.add(said.at(key), f"{path}.{key}", str(error))
            return None

    def _named(
        self, said: Said, key: str, table: str, make: Callable[[Said, str, str], T | None]
    ) -> dict[str, T]:
        found: dict[str, T] = {}
        for raw in said.get(key, ()):
            name = str(raw.get("name", "?"))
            if name in found:
                self._faults.add(raw.place, f"{table}.{name}", f"it is twice among the {key}")
                continue
            made = make(raw, table, f"{table}.{name}")
            if made is not None:
                found[name] = made
        return found

    def _once(self, table: str, *kinds: dict[str, Any]) -> None:
        seen: set[str] = set()
        for kind in kinds:
            for name, member in kind.items():
                if name in seen:
                    self._faults.add(member.place, member.path, "another member has this name")
                seen.add(name)

    def _dimension(self, raw: Said, table: str, path: str) -> Dimension | None:
        said = keys.checked(raw, keys.DIMENSION, path, self._faults, "name", "type")
        sql = self._dimension_sql(said, path)
        if sql is None or not {"name", "type"} <= said.keys():
            return None
        primary_key = said.get("primary_key", False)
        return Dimension(
            **_common(said, table, path, public=not primary_key),
            type=said["type"],
            sql=sql,
            format=plain(said.get("format")),
            primary_key=primary_key,
            suggest_filter_values=said.get("suggest_filter_values", True),
            mask=self._mask(said, path),
            sub_query=said.get("sub_query", False),
            propagate_filters=said.get("propagate_filters_to_sub_query", False),
        )

    def _dimension_sql(self, said: Said, path: str) -> Fragment | None:
        ways = [key for key in ("sql", "column", "case", "latitude") if key in said]
        if len(ways) != 1 or ("latitude" in said) != ("longitude" in said):
            words = "give one of sql, column, case, or latitude with longitude"
            self._faults.add(said.place, path, words)
            return None
        if ways == ["case"]:
            return self._case(said["case"], f"{path}.case")
        if ways == ["latitude"]:
            sides = [
                self._sql(said[key], "sql", f"{path}.{key}") for key in ("latitude", "longitude")
            ]
            return _joined(said.place, sides, _with_comma)
        return self._sql(said, ways[0], path)

    def _case(self, raw: Said, path: str) -> Fragment | None:
        said = keys.checked(raw, keys.CASE, path, self._faults, "when")
        whens = [
            keys.checked(one, keys.WHEN, f"{path}.when", self._faults, "sql", "label")
            for one in said.get("when", ())
        ]
        last = keys.checked(
            said.get("else", Said(raw.place)), keys.ELSE, f"{path}.else", self._faults
        )
        conditions = [self._sql(one, "sql", f"{path}.when") for one in whens]
        labels = [one.get("label", "") for one in whens]
        return _joined(raw.place, conditions, partial(_labelled, labels, last.get("label")))

    def _measure(self, raw: Said, table: str, path: str) -> Measure | None:
        said = keys.checked(raw, keys.MEASURE, path, self._faults, "name", "type")
        sql = self._sql(said, "sql", path) if "sql" in said else None
        if not {"name", "type"} <= said.keys() or ("sql" in said and sql is None):
            return None
        if sql is None and said["type"] != "count":
            self._faults.add(raw.place, path, "sql is missing; only a count can be without")
            return None
        filters = [
            self._sql(
                keys.checked(one, keys.FILTER, f"{path}.filters", self._faults, "sql"),
                "sql",
                f"{path}.filters",
            )
            for one in said.get("filters", ())
        ]
        if filters and said["type"] not in keys.AGGREGATES:
            words = f"a measure of type {said['type']} has no filters; put them on its parts"
            self._faults.add(said.at("filters"), f"{path}.filters", words)
        return Measure(
            **_common(said, table, path),
            type=said["type"],
            sql=sql,
            format=plain(said.get("format")),
            filters=tuple(filter(None, filters)),
            window=self._window(said, path),
            drill_members=tuple(
                one if "." in one else f"{table}.{one}" for one in said.get("drill_members", ())
            ),
        )

    def _window(self, said: Said, path: str) -> Window | None:
        if said["type"] == "running_total":
            return Window("unbounded", None, "end")
        if "rolling_window" not in said:
            return None
        path = f"{path}.rolling_window"
        window = keys.checked(said["rolling_window"], keys.WINDOW, path, self._faults)
        if said["type"] not in keys.AGGREGATES:
            self._faults.add(window.place, path, f"a measure of type {said['type']} cannot roll")
        if not {"trailing", "leading"} & window.keys():
            self._faults.add(window.place, path, "say trailing or leading")
        for key in ("trailing", "leading"):
            if key in window and not _INTERVAL.fullmatch(window[key]):
                words = f"{window[key]!r} is neither an interval, such as 2 week, nor unbounded"
                self._faults.add(window.at(key), f"{path}.{key}", words)
        return Window(window.get("trailing"), window.get("leading"), window.get("offset", "end"))

    def _segment(self, raw: Said, table: str, path: str) -> Segment | None:
        said = keys.checked(raw, keys.SEGMENT, path, self._faults, "name", "sql")
        sql = self._sql(said, "sql", path) if "sql" in said else None
        if sql is None or "name" not in said:
            return None
        secure = self._secure(said, keys.SECURE_SEGMENT, path)
        groups = None if secure is None else self._groups(secure, path)
        return Segment(**_common(said, table, path), sql=sql, groups=groups)

    def _mask(self, said: Said, path: str) -> Mask | None:
        secure = self._secure(said, keys.MASK, path)
        groups = None if secure is None else self._groups(secure, path)
        if secure is None or groups is None or "func" not in secure:
            return None
        return Mask(secure["func"], groups)

    def _secure(self, said: Said, known: dict[str, keys.Kind], path: str) -> Said | None:
        """The policy in a member's `meta`. A broken one is a fault, never no policy."""
        secure = said.get("meta", {}).get("secure")
        if secure is None:
            return None
        path = f"{path}.meta.secure"
        if not isinstance(secure, Said):
            self._faults.add(said.at("meta"), path, f"{secure!r} is not a mapping")
            return None
        return keys.checked(secure, known, path, self._faults, *known)

    def _groups(self, secure: Said, path: str) -> Groups | None:
        value = secure.get("user_groups")
        if isinstance(value, Said):
            said = keys.checked(
                value, keys.GROUPS, f"{path}.meta.secure.user_groups", self._faults, "includes"
            )
            return Groups(ids(said.get("includes", ())), ids(said.get("excludes", ())))
        if value is not None and keys.NAMES.fits(value):
            return Groups(ids(value))
        words = 'say whom it is for: "*", a list of user groups, or includes and excludes'
        self._faults.add(secure.at("user_groups"), f"{path}.meta.secure.user_groups", words)
        return None

    def _join(self, raw: Said, table: str, path: str) -> Join | None:
        said = keys.checked(raw, keys.JOIN, path, self._faults, *keys.JOIN)
        sql = self._sql(said, "sql", path) if "sql" in said else None
        if sql is None or len(said) < len(keys.JOIN):
            return None
        kind = keys.RELATIONSHIPS[said["relationship"]]
        return Join(table, said["name"], kind, sql, raw.place)

    def _refresh_key(self, said: Said, table: str) -> RefreshKey:
        path = f"{table}.refresh_key"
        if "refresh_key" not in said:
            return _EVERY_TEN_SECONDS
        key = keys.checked(said["refresh_key"], keys.REFRESH_KEY, path, self._faults)
        if key.get("immutable"):
            return RefreshKey(immutable=True)
        every = str(key.get("every", "10 seconds"))
        found = _EVERY.fullmatch(every)
        cron = None if found else every
        if cron and len(cron.split()) not in (5, 6):
            words = f"{every!r} is neither an interval, such as 10 minutes, nor a cron line"
            self._faults.add(key.at("every"), f"{path}.every", words)
        seconds = int(found[1]) * _SECONDS[found[2]] if found else None
        sql = str(key["sql"]) if "sql" in key else None
        return RefreshKey(seconds, cron, key.get("timezone", "UTC"), self._query(sql, key, path))

    def _query(self, sql: str | None, key: Said, path: str) -> str | None:
        if sql is not None:
            try:
                fragments.source(sql, self._dialect)
            except NotSql as error:
                self._faults.add(key.at("sql"), f"{path}.sql", str(error))
        return sql

    def _sql(self, said: Said, key: str, path: str) -> Fragment | None:
        try:
            return fragments.expression(str(said[key]), self._dialect, said.at(key))
        except NotSql as error:
            self._faults.add(said.at(key), f"{path}.{key}", str(error))
        except KeyError:
            self._faults.add(said.place, path, f"{key} is missing")
        return None


def ids(value: Any) -> frozenset[str]:
    """`*` or a list of names, as a set."""
    return frozenset([value] if isinstance(value, str) else value)


def plain(value: Any) -> Any:
    """A value of a file without its places: dicts, lists, texts, numbers."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def _path(kind: str, raw: Said) -> str:
    return str(raw.get("name") or kind)


def _public(said: Said, otherwise: bool = True) -> bool:
    return bool(said.get("public", said.get("shown", otherwise)))


def _common(said: Said, table: str, path: str, public: bool = True) -> dict[str, Any]:
    return {
        "table": table,
        "name": said["name"],
        "path": path,
        "place": said.place,
        "title": said.get("title"),
        "description": said.get("description"),
        "public": _public(said, public),
        "meta": plain(said.get("meta")),
    }


def _joined(
    place: Place,
    parts: list[Fragment | None],
    make: Callable[[list[exp.Expr]], exp.Expr],
) -> Fragment | None:
    """One fragment of several; None if one of them is broken, which has been said."""
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts) or not whole:
        return None
    names = tuple(dict.fromkeys(name for part in whole for name in part.names))
    text = ", ".join(part.text for part in whole)
    return Fragment(
        make([part.tree for part in whole]), names, all(part.bare for part in whole), text, place
    )


def _labelled(labels: list[str], last: str | None, conditions: list[exp.Expr]) -> exp.Expr:
    case = exp.Case()
    for condition, label in zip(conditions, labels, strict=True):
        case = case.when(condition, exp.Literal.string(label), copy=False)
    return case if last is None else case.else_(exp.Literal.string(last), copy=False)


def _with_comma(sides: list[exp.Expr]) -> exp.Expr:
    texts = [exp.cast(side, "text") for side in sides]
    comma = exp.Literal.string(",")
    return exp.DPipe(this=exp.DPipe(this=texts[0], expression=comma), expression=texts[1])
