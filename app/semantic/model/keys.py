"""Which keys each noun of a model may have, and what their values are."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.semantic.model.texts import Faults, Said

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
DIMENSION_TYPES = ("string", "number", "boolean", "time", "geo")
AGGREGATES = (
    "count", "count_distinct", "count_distinct_approx", "sum", "avg", "min", "max", "running_total",
)  # fmt: skip
MEASURE_TYPES = (*AGGREGATES, "number", "string", "time", "boolean")
RELATIONSHIPS = {
    "one_to_one": "one_to_one", "has_one": "one_to_one", "hasOne": "one_to_one",
    "one_to_many": "one_to_many", "has_many": "one_to_many", "hasMany": "one_to_many",
    "many_to_one": "many_to_one", "belongs_to": "many_to_one", "belongsTo": "many_to_one",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What a value must be, in words, and whether it is."""

    words: str
    fits: Callable[[Any], bool]


def one_of(*words: str) -> Kind:
    """One of these words."""
    return Kind(f"one of {', '.join(words)}", lambda value: value in words)


def _listed(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


NAMED = Kind(
    "a name of letters, digits and _ that begins with a letter",
    lambda value: isinstance(value, str) and NAME.fullmatch(value) is not None,
)
TEXT = Kind("a text", lambda value: isinstance(value, str))
SQL = Kind("SQL", lambda value: isinstance(value, str | int | float) and str(value).strip() != "")
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
MAPPING = Kind("a mapping", lambda value: isinstance(value, Said))
MAPPINGS = Kind(
    "a list of mappings",
    lambda value: isinstance(value, list) and all(isinstance(one, Said) for one in value),
)
TEXTS = Kind("a list of names", _listed)
NAMES = Kind('"*" or a list of names', lambda value: value == "*" or _listed(value))
ANY = Kind("anything", lambda _: True)

_COMMON = {
    "name": NAMED, "title": TEXT, "description": TEXT, "public": FLAG, "shown": FLAG,
    "meta": MAPPING,
}  # fmt: skip
TABLE = _COMMON | {
    "sql": SQL, "sql_table": TEXT, "data_source": TEXT, "sql_alias": NAMED, "extends": TEXT,
    "refresh_key": MAPPING, "joins": MAPPINGS, "dimensions": MAPPINGS, "measures": MAPPINGS,
    "segments": MAPPINGS, "pre_aggregations": MAPPINGS,
}  # fmt: skip
DIMENSION = _COMMON | {
    "sql": SQL, "column": TEXT, "case": MAPPING, "latitude": MAPPING, "longitude": MAPPING,
    "type": one_of(*DIMENSION_TYPES), "primary_key": FLAG, "format": ANY, "sub_query": FLAG,
    "propagate_filters_to_sub_query": FLAG, "suggest_filter_values": FLAG,
}  # fmt: skip
MEASURE = _COMMON | {
    "sql": SQL, "type": one_of(*MEASURE_TYPES), "filters": MAPPINGS, "rolling_window": MAPPING,
    "drill_members": TEXTS, "format": ANY,
}  # fmt: skip
SEGMENT = _COMMON | {"sql": SQL}
JOIN = {"name": TEXT, "sql": SQL, "relationship": one_of(*RELATIONSHIPS)}
FILTER = {"sql": SQL}
CASE = {"when": MAPPINGS, "else": MAPPING}
WHEN = {"sql": SQL, "label": TEXT}
ELSE = {"label": TEXT}
WINDOW = {"trailing": TEXT, "leading": TEXT, "offset": one_of("start", "end")}
REFRESH_KEY = {"every": TEXT, "timezone": TEXT, "sql": SQL, "immutable": FLAG}
MASK = {"func": one_of("redact", "md5"), "user_groups": ANY}
SECURE_SEGMENT = {"user_groups": ANY}
GROUPS = {"includes": NAMES, "excludes": NAMES}
VIEW = _COMMON | {"tables": MAPPINGS, "cubes": MAPPINGS}
PART = {
    "join_path": TEXT, "prefix": FLAG, "alias": NAMED, "includes": ANY, "excludes": TEXTS,
}  # fmt: skip
USER_GROUP = {
    "name": TEXT, "description": TEXT, "api_scopes": TEXTS, "includes": NAMES, "excludes": NAMES,
}  # fmt: skip
PRE_AGGREGATION = {
    "name": NAMED, "type": one_of("rollup", "original_sql", "rollup_join", "rollup_lambda"),
    "measures": TEXTS, "dimensions": TEXTS, "segments": TEXTS, "time_dimension": TEXT,
    "granularity": TEXT, "partition_granularity": TEXT, "refresh_key": MAPPING,
    "build_range_start": MAPPING, "build_range_end": MAPPING, "indexes": MAPPINGS,
    "scheduled_refresh": FLAG, "external": FLAG, "rollups": TEXTS,
}  # fmt: skip


def checked(said: Said, keys: dict[str, Kind], path: str, faults: Faults, *needed: str) -> Said:
    """The mapping without the keys that may not be there or have a wrong value; those are faults."""
    kept = Said(said.place)
    for key, value in said.items():
        kind = keys.get(key)
        if kind is None:
            faults.add(said.at(key), f"{path}.{key}", f"unknown key. Known: {', '.join(keys)}.")
        elif value is not None and not kind.fits(value):
            faults.add(said.at(key), f"{path}.{key}", f"{value!r} is not {kind.words}")
        elif value is not None:
            kept[key], kept.places[key] = value, said.at(key)
    for key in needed:
        if key not in said:
            faults.add(said.place, path, f"{key} is missing")
    return kept
