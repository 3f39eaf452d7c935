"""Settings of sources and destinations: are they right, which of them are secret."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import orjson
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from app.core.errors import Invalid
from app.ingestion.reach import check_reach

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16

_SECRET = re.compile(
    r"pass(word|phrase|wd)|secret|token|private_?key|credential|access_?key|api_?key|jaas|service_account",
    re.IGNORECASE,
)

Walked = Iterator[tuple[tuple[str, ...], Any]]


def check_config(config: Any, spec: Mapping[str, Any], type_: str) -> None:
    """Refuse settings that the connector's spec does not allow, or that reach where they must not.

    The error names the field; it never repeats a value.
    """
    if not isinstance(config, Mapping):
        raise Invalid("config must be an object.", "CONFIG_INVALID", path=("config",))
    _check_json(config, 0)
    if len(orjson.dumps(config)) > MAX_BYTES:
        _refuse((), f"is larger than {MAX_BYTES} bytes")
    found = next(
        iter(sorted(_errors(config, spec), key=lambda e: (len(e.path), str(e.path)))), None
    )
    if found is not None:
        _refuse_error(_inmost(found))
    check_reach(config, type_, is_secret=lambda path: is_secret(path, secret_names(spec)))


def _errors(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[ValidationError]:
    found = Draft7Validator(spec).iter_errors(_without_nulls(config))
    return [error for error in found if not _is_unset(error)]


def _is_unset(error: ValidationError) -> bool:
    """Forms write an empty text for what is not set, whatever its type."""
    return error.instance == "" and error.validator in ("type", "enum", "pattern")


def secret_names(spec: Any) -> frozenset[str]:
    """Names of the settings that the spec masks, wherever they are in it."""
    if isinstance(spec, list):
        return frozenset().union(*(secret_names(item) for item in spec))
    if not isinstance(spec, Mapping):
        return frozenset()
    found = frozenset().union(*(secret_names(item) for item in spec.values()))
    properties = spec.get("properties")
    if isinstance(properties, Mapping):
        masked = (
            name
            for name, one in properties.items()
            if isinstance(one, Mapping) and one.get("format") == "password"
        )
        found |= frozenset(masked)
    return found


def is_secret(path: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether what is at the path must never be shown: its name, or one above it, says so."""
    return any(part in names or _SECRET.search(part) for part in path)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Walked:
    """Every text, number and boolean with its path; items of lists have their number in it."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, (*path, str(name)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, str(number)))
    else:
        yield path, value


def replaced(value: Any, change: Any, path: tuple[str, ...] = ()) -> Any:
    """The same settings with `change(path, leaf)` in place of each leaf."""
    if isinstance(value, Mapping):
        return {name: replaced(item, change, (*path, str(name))) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, change, (*path, str(n))) for n, item in enumerate(value)]
    return change(path, value)


def _without_nulls(value: Any) -> Any:
    """What is null is not set."""
    if isinstance(value, Mapping):
        return {n: _without_nulls(item) for n, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_json(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        _refuse((), "is nested too deeply")
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_json(str(name), depth + 1)
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, str) and "\x00" in value:
        _refuse((), "contains a NUL character")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        _refuse((), "contains a number of more than 64 bits")


def _inmost(error: ValidationError) -> ValidationError:
    """Of a choice that does not fit, what is wrong in the alternative that was meant."""
    while error.context:
        by_branch: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            by_branch.setdefault(inner.schema_path[0], []).append(inner)
        meant = [found for found in by_branch.values() if not any(map(_is_choice, found))]
        if not meant and error.validator == "oneOf":
            return _not_offered(error)
        error = min(meant or by_branch.values(), key=len)[0]
    return error


def _is_choice(error: ValidationError) -> bool:
    return error.validator in ("const", "enum") and len(error.relative_path) == 1


def _not_offered(error: ValidationError) -> ValidationError:
    """One error for a word that chooses none of the alternatives."""
    choices = [inner for inner in error.context or () if _is_choice(inner)]
    words: list[Any] = []
    for choice in choices:
        value = choice.validator_value
        words += value if isinstance(value, list) else [value]
    made: ValidationError = choices[0]
    made.validator, made.validator_value = "enum", words
    made.context = []
    return made


def _refuse_error(error: ValidationError) -> NoReturn:
    path = tuple(str(part) for part in error.absolute_path)
    value: Any = error.validator_value
    match error.validator:
        case "required":
            present = error.instance if isinstance(error.instance, Mapping) else {}
            name = next((n for n in value if n not in present), value[0])
            _refuse((*path, name), "is needed")
        case "type":
            _refuse(path, f"must be of type {value}")
        case "enum":
            _refuse(path, f"must be one of {', '.join(str(word) for word in value)}")
        case "const":
            _refuse(path, f"must be {value}")
        case "minimum":
            _refuse(path, f"must be at least {value}")
        case "maximum":
            _refuse(path, f"must be at most {value}")
        case "minLength" | "minItems":
            _refuse(path, "must not be empty")
        case "pattern":
            _refuse(path, f"must match {value}")
        case other:
            _refuse(path, f"does not fit the connector's spec ({other})")


def _refuse(path: tuple[str, ...], what: str) -> NoReturn:
    raise Invalid(
        f"{'.'.join(('config', *path))} {what}.", "CONFIG_INVALID", path=("config", *path)
    )
