"""What lists are asked with: pages, orderings, and filters in snake case."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from rest_compat.deep.answer import BadInput
from rest_compat.deep.words import camel
from rest_compat.described import FLAG, TEXT, takes
from rest_compat.dialect import Call

DEFAULT, MOST = 100, 10_000
MOST_OFFSET = 10_000_000
MOMENT = "A day, with or without its offset from UTC, or a whole date and time."
BIG = 2**31
Given = Mapping[str, Any]


def page(call: Call, default: int = DEFAULT, most: int = MOST) -> dict[str, int]:
    """`first` and `offset`; what cannot be read is the default, never an error."""
    limit, offset = _number(call, "limit"), _number(call, "offset")
    return {"first": min(limit or default, most), "offset": min(offset, MOST_OFFSET)}


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def listed(
    data: Any,
    call: Call,
    shape: Callable[[Any, Call], Any],
    default: int = DEFAULT,
    most: int = MOST,
) -> dict[str, Any]:
    """A page with its count and the links to the pages beside it."""
    asked, found = page(call, default, most), data["list"]
    first, offset, count = asked["first"], asked["offset"], found["totalCount"]
    following = _link(call, first, offset + first) if offset + first < count else None
    before = None if offset == 0 else _link(call, first, max(0, offset - first))
    results = [shape(row, call) for row in found["nodes"]]
    return {"count": count, "next": following, "previous": before, "results": results}


def of_list(rows: list[Any], call: Call) -> dict[str, Any]:
    """A page of a list that is there as a whole."""
    asked = page(call)
    first, offset = asked["first"], asked["offset"]
    found = {"totalCount": len(rows), "nodes": rows[offset : offset + first]}
    return listed({"list": found}, call, lambda row, _: row)


def _link(call: Call, limit: int, offset: int) -> str:
    kept = [(n, v) for n, v in call.query.multi_items() if n not in ("limit", "offset")]
    own = [("limit", str(limit)), *([("offset", str(offset))] if offset else [])]
    return f"{call.base}{call.sent_path}?{urlencode(sorted([*kept, *own]))}"


def order(given: Given, fields: Mapping[str, str]) -> list[dict[str, str]] | None:
    """`status,-title` as keys of an ordering; BadInput for what cannot be ordered by."""
    text = given.get("ordering")
    names = text if isinstance(text, list) else str(text or "").split(",")
    found = []
    for name in [str(one).strip() for one in names if str(one).strip()]:
        field = fields.get(name.removeprefix("-"))
        if field is None:
            known = ", ".join(sorted(fields))
            raise BadInput({"ordering": [f"Cannot order by {name}. Choices are: {known}."]})
        found.append({"field": field, "direction": "DESC" if name[0] == "-" else "ASC"})
    if len(found) > 5:
        raise BadInput({"ordering": ["At most five fields."]})
    return found or None


def filters(given: Given, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The filter that parameters mean; BadInput with the faults of all of them.

    `known`: parameter -> what makes (field, operator, value) of its text. Lists are taken as texts
    with commas.
    """
    where: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, make in known.items():
        value = given.get(name)
        if value in (None, "", []):
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            field, operator, operand = make(text)
        except ValueError as error:
            faults[camel(name)] = [str(error)]
            continue
        if operator:
            where.setdefault(field, {})[operator] = operand
        else:
            where[field] = operand
    if faults:
        raise BadInput(faults)
    return where


def numbers(field: str) -> Callable[[str], Any]:
    """Ids with commas between them."""

    @takes({**TEXT, "examples": ["1,2", "3"], "description": "Ids, separated by commas."})
    def make(text: str) -> Any:
        parts = [one.strip() for one in text.split(",") if one.strip()]
        if not all(one.isascii() and one.isdigit() and int(one) < BIG for one in parts):
            raise ValueError("Enter a whole number.")
        return field, "in", [int(one) for one in parts][:1000]

    return make


def words(field: str, known: Mapping[Any, str]) -> Callable[[str], Any]:
    """Choices with commas between them."""
    by_text = {str(theirs): ours for theirs, ours in known.items()}
    told = f"Separated by commas: {', '.join(by_text)}."

    @takes({**TEXT, "examples": list(by_text), "description": told})
    def make(text: str) -> Any:
        parts = [one.strip() for one in text.split(",") if one.strip()]
        for one in parts:
            if one not in by_text:
                text = f"Select a valid choice. {one} is not one of the available choices."
                raise ValueError(text)
        return field, "in", [by_text[one] for one in parts]

    return make


def text(field: str, operator: str) -> Callable[[str], Any]:
    """A text as it is."""
    return takes(TEXT)(lambda value: (field, operator, value))


def flag(field: str, operator: str = "") -> Callable[[str], Any]:
    """true or false, as Python and JSON write them."""

    @takes(FLAG)
    def make(value: str) -> Any:
        if value.lower() not in ("true", "false", "1", "0"):
            raise ValueError("Must be a valid boolean.")
        return field, operator, value.lower() in ("true", "1")

    return make


def day(field: str, operator: str) -> Callable[[str], Any]:
    """A day."""

    @takes({**TEXT, "format": "date", "examples": ["2026-05-01", "2025-01-02"]})
    def make(value: str) -> Any:
        try:
            return field, operator, date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError("Enter a valid date.") from None

    return make


def moment(field: str, operator: str) -> Callable[[str], Any]:
    """A day with its offset (`2024-05-03+0000`), a plain day, or a whole date and time."""

    @takes({**TEXT, "examples": ["2026-05-01+0000", "2025-01-02"], "description": MOMENT})
    def make(value: str) -> Any:
        for form in ("%Y-%m-%d%z", "%Y-%m-%d"):
            try:
                return field, operator, _utc(datetime.strptime(value, form))
            except ValueError:
                continue
        try:
            return field, operator, _utc(datetime.fromisoformat(value))
        except ValueError:
            raise ValueError("Enter a valid date/time.") from None

    return make


def _utc(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


def moments(parameter: str, field: str, make: Callable[[str, str], Any]) -> dict[str, Any]:
    """`created_at__gte` and its three sisters."""
    return {f"{parameter}__{op}": make(field, op) for op in ("gte", "gt", "lte", "lt")}
