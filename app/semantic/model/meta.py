"""The model as clients read it: the answer of `/v2/meta`, with the keys of Cube and of Lens."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.semantic.model.groups import group_of
from app.semantic.model.nouns import (
    Caller,
    Dimension,
    Entry,
    Field,
    Json,
    M,
    Measure,
    Model,
    Segment,
)
from app.semantic.model.routes import components

_AGGREGATES = {
    "count_distinct": "countDistinct",
    "count_distinct_approx": "countDistinctApprox",
    "running_total": "runningTotal",
}
_OF_THEIR_OWN_TYPE = ("string", "boolean", "time")


def meta(
    model: Model,
    caller: Caller,
    *,
    name: str,
    description: str = "",
    authors: Sequence[str] = (),
    source_type: str = "postgres",
    source_name: str = "default",
    time_zones: Sequence[str] = ("UTC",),
    dev_mode: bool = False,
    extended: bool = False,
) -> Json:
    """What may be asked for. Hidden entries and members are left out unless `dev_mode` is on.

    `extended` adds the SQL that their authors wrote.
    """
    numbers = components(model.tables)
    entries = [
        _entry(model, one, numbers, dev_mode, extended)
        for one in model.entries.values()
        if one.public or dev_mode
    ]
    group = group_of(model, caller)
    return {
        "name": name,
        "description": description,
        "authors": list(authors),
        "devMode": dev_mode,
        "source": {"type": source_type, "name": source_name},
        "timeZones": list(time_zones),
        "userGroups": [group.name] if group else [],
        "securityContext": {"user": caller.user, "groups": list(caller.groups)},
        "tables": entries,
        "cubes": entries,
    }


def _entry(
    model: Model, entry: Entry, numbers: Mapping[str, int], all_of_it: bool, extended: bool
) -> Json:
    def shown(fields: Mapping[str, Field[M]]) -> Iterable[Field[M]]:
        return (one for one in fields.values() if one.public or all_of_it)

    found: Json = {
        "name": entry.name,
        "type": entry.kind,
        "title": entry.title,
        "public": entry.public,
        "isVisible": entry.public,
        "measures": [_measure(model, one, extended) for one in shown(entry.measures)],
        "dimensions": [_dimension(one, extended) for one in shown(entry.dimensions)],
        "segments": [_segment(one, extended) for one in shown(entry.segments)],
        "hierarchies": [],
    }
    if entry.kind == "table" and entry.name in numbers:
        found["connectedComponent"] = numbers[entry.name]
    if extended and entry.kind == "table":
        found |= _written(model, entry.name)
    return found | given(description=entry.description, meta=entry.meta)


def _written(model: Model, name: str) -> Json:
    table = model.tables[name]
    joins = [
        {"name": one.target, "relationship": one.relationship, "sql": one.sql.text}
        for one in table.joins.values()
    ]
    key = table.refresh_key
    told = given(every=key.every, cron=key.cron, sql=key.sql, immutable=key.immutable or None)
    return {
        "sql": table.text,
        "joins": joins,
        "refreshKey": told,
        "preAggregations": list(table.pre_aggregations),
    }


def _measure(model: Model, field: Field[Measure], extended: bool) -> Json:
    one = field.member
    rolling = one.window is not None
    return (
        _named(field)
        | {
            "cumulative": rolling,
            "cumulativeTotal": rolling,
            "type": type_of(one),
            "aggType": _AGGREGATES.get(one.type, one.type),
        }
        | drill(model, field)
        | given(format=one.format)
        | (_sql(field) if extended else {})
    )


def _dimension(field: Field[Dimension], extended: bool) -> Json:
    one = field.member
    return (
        _named(field)
        | {
            "type": one.type,
            "suggestFilterValues": one.suggest_filter_values,
            "primaryKey": one.primary_key and field.path == one.path,
        }
        | given(format=one.format)
        | (_sql(field) if extended else {})
    )


def _segment(field: Field[Segment], extended: bool) -> Json:
    return _named(field) | (_sql(field) if extended else {})


def _named(field: Field[M]) -> Json:
    return {
        "name": field.path,
        "aliasName": field.path,
        "title": field.title,
        "shortTitle": field.short_title,
        "public": field.public,
        "isVisible": field.public,
    } | given(description=field.member.description, meta=open_meta(field.member.meta))


def _sql(field: Field[M]) -> Json:
    return given(sql=field.member.sql.text if field.member.sql else None)


def given(**values: Any) -> Json:
    """Those of the values that there are."""
    return {key: value for key, value in values.items() if value is not None}


def type_of(measure: Measure) -> str:
    """The type of a measure's values, as clients know it."""
    return measure.type if measure.type in _OF_THEIR_OWN_TYPE else "number"


def open_meta(meta: Json | None) -> Json | None:
    """What callers may see of a member's `meta`: all but whom its policy is for."""
    left = {key: value for key, value in (meta or {}).items() if key != "secure"}
    return left or (None if meta is None or "secure" in meta else {})


def drill(model: Model, field: Field[Measure]) -> Json:
    """The members that lie behind a measure, at once and by their kinds."""
    names = list(field.drill_members)
    measures = [one for one in names if _is_measure(model, one)]
    dimensions = [one for one in names if one not in measures]
    return {
        "drillMembers": names,
        "drillMembersGrouped": {"measures": measures, "dimensions": dimensions},
    }


def _is_measure(model: Model, path: str) -> bool:
    table, _, name = path.partition(".")
    return name in model.tables[table].measures
