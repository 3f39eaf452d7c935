"""Members of bodies, checked as DEEP checks them: all faults at once, in its words."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from app.core.errors import Conflict, NotFound
from rest_compat.deep.answer import BadInput
from rest_compat.deep.words import camel
from rest_compat.described import FLAG, INTEGER, INTEGERS, takes
from rest_compat.dialect import Call

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
MAX_ID = 2**31
Check = Callable[[Any], Any]
"""A member's value -> what the operation takes; ValueError with words for what it cannot."""
NUMBER_OR_NULL = {"type": ["integer", "null"]}


def members(
    body: Mapping[str, Any],
    known: Mapping[str, tuple[str, Check]],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The members of a body by the names of inputs; `known`: member -> (field, check)."""
    found: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, (field, check) in known.items():
        if name not in body:
            if name in required:
                faults[camel(name)] = [REQUIRED]
            continue
        try:
            found[field] = check(body[name])
        except ValueError as error:
            faults[camel(name)] = [str(error)]
    if faults:
        raise BadInput(faults)
    return found


def text(*, blank: bool = True, most: int | None = None) -> Check:
    """A text; null counts as blank."""
    length = ({} if most is None else {"maxLength": most}) | ({} if blank else {"minLength": 1})

    @takes({"type": ["string", "null"] if blank else "string", **length})
    def check(value: Any) -> str:
        if isinstance(value, bool | list | dict):
            raise ValueError("Not a valid string.")
        found = "" if value is None else str(value)
        if not blank and not found.strip():
            raise ValueError(BLANK)
        if most is not None and len(found) > most:
            raise ValueError(f"Ensure this field has no more than {most} characters.")
        return found

    return check


@takes({"type": ["string", "null"], "maxLength": 128})
def client_key(value: Any) -> str | None:
    """A caller's own key; null and an empty text are none."""
    return text(most=128)(value) or None


def choice(words: Mapping[Any, str]) -> Check:
    """One of a few words."""
    is_number = all(isinstance(word, int) for word in words)

    @takes({"type": "integer" if is_number else "string", "enum": list(words)})
    def check(value: Any) -> str:
        by_text = {str(theirs): ours for theirs, ours in words.items()}
        if value is None:
            raise ValueError("This field may not be null.")
        if isinstance(value, bool | list | dict) or str(value) not in by_text:
            raise ValueError(f'"{value}" is not a valid choice.')
        return by_text[str(value)]

    return check


@takes(FLAG)
def flag(value: Any) -> bool:
    """A boolean, also as forms have it."""
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise ValueError("Must be a valid boolean.")
    return found


@takes({"type": ["string", "null"], "format": "date", "examples": ["2026-05-01", "2025-01-02"]})
def day(value: Any) -> str | None:
    """A day or null."""
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not is_day(value):
        raise ValueError("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")
    return value


def is_day(value: str) -> bool:
    """Whether a text is a day, YYYY-MM-DD: ISO 8601 has other forms, DEEP has not."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def is_number(text: str) -> bool:
    """Whether a text is a number of at most nine digits, as ids and versions are."""
    return text.isascii() and text.isdigit() and len(text) < 10


@takes(INTEGER)
def key(value: Any) -> int:
    """An id, also as a text of digits."""
    if isinstance(value, str) and is_number(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_ID:
        return value
    kind = "str" if isinstance(value, str) else type(value).__name__
    raise ValueError(f"Incorrect type. Expected pk value, received {kind}.")


@takes(NUMBER_OR_NULL)
def key_or_null(value: Any) -> int | None:
    """An id, null or an empty text."""
    return None if value in (None, "") else key(value)


@takes({"type": ["array", "integer", "null"], "items": INTEGER})
def keys_or_one(value: Any) -> list[int]:
    """A list of ids, one of them, or null for none."""
    if isinstance(value, list):
        return keys(value)
    return [] if value in (None, "") else [key(value)]


@takes({"type": ["object", "integer", "null"], "properties": {"id": NUMBER_OR_NULL}})
def nested_key(value: Any) -> int | None:
    """`{"id": 5}`, 5 or null."""
    return key_or_null(value.get("id")) if isinstance(value, dict) else key_or_null(value)


@takes(INTEGERS)
def keys(value: Any) -> list[int]:
    """A list of ids."""
    if not isinstance(value, list):
        raise ValueError(f'Expected a list of items but got type "{type(value).__name__}".')
    return [key(one) for one in value]


def nothing(text: str) -> Check:
    """Nothing: what is not kept here is refused in words where it is more than that."""

    @takes({"type": ["array", "null"], "maxItems": 0, "description": text})
    def check(value: Any) -> None:
        if value not in (None, "", []):
            raise ValueError(text)

    return check


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError(f'Expected a list of items but got type "{type(value).__name__}".')
    return value


def free(value: Any) -> Any:
    """JSON of its makers."""
    return value


def number(call: Call, name: str = "id") -> int:
    """An id in the path; NotFound for what can be none."""
    value = call.path[name]
    if not is_number(value):
        raise NotFound("There is no such object.")
    return int(value)


def by(call: Call, name: str = "id") -> dict[str, int]:
    """The object that the path names."""
    return {"number": number(call, name)}


def version(call: Call) -> int | None:
    """`If-Match: "3"`; None where it is absent or `*`, Conflict for what no version can be."""
    given = call.headers.get("if-match", "*").strip().strip('"')
    if given == "*":
        return None
    if not is_number(given):
        raise Conflict('It has another version. Send its versionId, such as `If-Match: "3"`.')
    return int(given)
