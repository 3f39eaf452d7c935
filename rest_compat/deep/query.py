"""What lists are asked with: pages, orderings, and filters in snake case."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from rest_compat.deep.answer import BadInput
from rest_compat.deep.given import MAX_ID, is_day, is_number
from rest_compat.deep.words import camel
from rest_compat.described import FLAG, TEXT, taken_by, takes
from rest_compat.dialect import Call

DEFAULT, MOST = 100, 10_000
MOST_OFFSET = 10_000_000
MOST_NUMBERS = 1000
MOMENT = "A day, with or without its offset from UTC, or a whole date and time."
IDS = {**TEXT, "examples": ["1,2", "3"], "description": "Ids, separated by commas."}
Given = Mapping[str, Any]


def page(call: Call, default: int = DEFAULT, most: int = MOST) -> dict[str, Any]:
    """`first` with `offset` or `after`; what cannot be read is the default, never an error."""
    first, offset = _asked(call, default, most)
    after = _after(call, offset)
    return {"first": first, "offset": 0 if after else offset, "after": after}


def _asked(call: Call, default: int, most: int) -> tuple[int, int]:
    limit, offset = _number(call, "limit"), _number(call, "offset")
    return min(limit or default, most), min(offset, MOST_OFFSET)


def _after(call: Call, offset: int) -> str | None:
    """The place in the list where a link of ours goes on, so that rows added before it move nothing.

    A caller who changes the link's offset means another place.
    """
    place, _, cursor = call.query.get("after", "").partition(".")
    return cursor if cursor and place == str(offset) else None


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    return int(text) if is_number(text) else 0


def listed(
    data: Any,
    call: Call,
    shape: Callable[[Any, Call], Any],
    default: int = DEFAULT,
    most: int = MOST,
) -> dict[str, Any]:
    """A page with its count and the links to the pages beside it."""
    (first, offset), found = _asked(call, default, most), data["list"]
    following, before, info = None, None, found["pageInfo"]
    if info["hasNextPage"]:
        following = _link(call, first, offset + first, info["endCursor"])
    if offset:
        before = _link(call, first, max(0, offset - first))
    results = [shape(row, call) for row in found["nodes"]]
    return {"count": found["totalCount"], "next": following, "previous": before, "results": results}


def of_list(rows: list[Any], call: Call) -> dict[str, Any]:
    """A page of a list that is there as a whole."""
    asked = page(call)
    places = {str(row["id"]): place for place, row in enumerate(rows, 1)}
    start = places.get(asked["after"], _asked(call, DEFAULT, MOST)[1])
    nodes = rows[start : start + asked["first"]]
    last = str(nodes[-1]["id"]) if nodes else None
    info = {"hasNextPage": start + len(nodes) < len(rows) and bool(nodes), "endCursor": last}
    found = {"totalCount": len(rows), "nodes": nodes, "pageInfo": info}
    return listed({"list": found}, call, lambda row, _: row)


def _link(call: Call, limit: int, offset: int, after: str = "") -> str:
    apart = ("limit", "offset", "after")
    kept = [(n, v) for n, v in call.query.multi_items() if n not in apart]
    own = [("limit", str(limit)), *([("offset", str(offset))] if offset else [])]
    if after:
        own.append(("after", f"{offset}.{after}"))
    return f"{call.base}{call.sent_path}?{urlencode(sorted([*kept, *own]))}"


NEWEST = "-modified_at,-created_at"


def order(given: Given, fields: Mapping[str, str], usual: str = "") -> list[dict[str, str]] | None:
    """`status,-title` as keys of an ordering; BadInput for what cannot be ordered by.

    `usual`: the ordering where none is given; else that of the graph.
    """
    text = given.get("ordering") or usual
    names = text if isinstance(text, list) else str(text).split(",")
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

    `known`: parameter -> what makes (field, operator, value) of its text, or None for what all rows
    are. Lists are taken as texts with commas.
    """
    where: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, make in known.items():
        value = given.get(name)
        if value in (None, "", []):
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            made = make(text)
        except ValueError as error:
            faults[camel(name)] = [str(error)]
            continue
        if made is None:
            continue
        field, operator, operand = made
        if field == "and":
            where.setdefault(field, []).extend(operand)
        elif operator:
            where.setdefault(field, {})[operator] = operand
        else:
            where[field] = operand
    if faults:
        raise BadInput(faults)
    return where


def numbers(field: str) -> Callable[[str], Any]:
    """Ids with commas between them."""

    @takes(IDS)
    def make(text: str) -> Any:
        parts = [one.strip() for one in text.split(",") if one.strip()]
        if len(parts) > MOST_NUMBERS:
            raise ValueError(f"Enter at most {MOST_NUMBERS} numbers.")
        if not all(_is_number(one) for one in parts):
            raise ValueError("Enter a whole number.")
        return field, "in", [int(one) for one in parts]

    return make


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 11 and int(text) < MAX_ID


def number(field: str) -> Callable[[str], Any]:
    """One id."""

    @takes({**TEXT, "examples": ["1", "2"], "description": "An id."})
    def make(text: str) -> Any:
        if not _is_number(text):
            raise ValueError("Enter a whole number.")
        return field, "", int(text)

    return make


@takes({**IDS, "description": f"{IDS['description']} Nothing here has any."})
def nobody(text: str) -> Any:
    """Ids of what no row has here."""
    numbers("")(text)
    return "number", "in", []


def parts(field: str, member: str, make: Callable[[str], Any]) -> Callable[[str], Any]:
    """A condition on a member of what a field filters by."""

    @takes(taken_by(make))
    def made(text: str) -> Any:
        _, operator, value = make(text)
        return field, member, {operator: value}

    return made


def no_choice(text: str) -> ValueError:
    """What is wrong with a word that is none of a few."""
    return ValueError(f"Select a valid choice. {text} is not one of the available choices.")


@takes({**TEXT, "examples": ["flood,fire", "storm"], "description": "Separated by commas."})
def texts(text: str) -> Any:
    """Texts with commas between them."""
    found = [one.strip() for one in text.split(",") if one.strip()]
    if len(found) > MOST_NUMBERS:
        raise ValueError(f"Enter at most {MOST_NUMBERS} of them.")
    return "", "in", found


def words(field: str, known: Mapping[Any, str]) -> Callable[[str], Any]:
    """Choices with commas between them."""
    by_text = {str(theirs): ours for theirs, ours in known.items()}
    told = f"Separated by commas: {', '.join(by_text)}."

    @takes({**TEXT, "examples": list(by_text), "description": told})
    def make(text: str) -> Any:
        parts = [one.strip() for one in text.split(",") if one.strip()]
        for one in parts:
            if one not in by_text:
                raise no_choice(one)
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
        if not is_day(value):
            raise ValueError("Enter a valid date.")
        return field, operator, value

    return make


def moment(field: str, operator: str) -> Callable[[str], Any]:
    """A day with its offset (`2024-05-03+0000`), a plain day, or a whole date and time."""

    @takes({**TEXT, "examples": ["2026-05-01+0000", "2025-01-02"], "description": MOMENT})
    def make(value: str) -> Any:
        for form in ("%Y-%m-%d%z", "%Y-%m-%d"):
            try:
                return field, operator, _utc(datetime.strptime(value, form))
            except (ValueError, OverflowError):
                continue
        try:
            return field, operator, _utc(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            raise ValueError("Enter a valid date/time.") from None

    return make


def _utc(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


def at(field: str) -> Callable[[str], Any]:
    """Exactly this moment."""
    since, until = moment(field, "gte"), moment(field, "lte")

    @takes(taken_by(since))
    def make(value: str) -> Any:
        return "and", "", [{field: {"gte": since(value)[2], "lte": until(value)[2]}}]

    return make


def moments(parameter: str, field: str, make: Callable[[str, str], Any]) -> dict[str, Any]:
    """`created_at__gte` and its three sisters."""
    return {f"{parameter}__{op}": make(field, op) for op in ("gte", "gt", "lte", "lt")}
