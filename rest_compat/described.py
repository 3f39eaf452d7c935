"""What the documentation of a dialect says that follows neither from its routes nor from types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

JsonSchema = Mapping[str, Any]
Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
TEXT: JsonSchema = {"type": "string"}
INTEGER: JsonSchema = {"type": "integer"}
NUMBER: JsonSchema = {"type": "number"}
FLAG: JsonSchema = {"type": "boolean"}
TEXTS: JsonSchema = {"type": "array", "items": TEXT}
INTEGERS: JsonSchema = {"type": "array", "items": INTEGER}


def one_of(words: Sequence[str] | Mapping[str, Any]) -> JsonSchema:
    """One of the words, or of a mapping's keys."""
    return {"type": "string", "enum": list(words)}


def some_of(words: Sequence[str] | Mapping[str, Any]) -> JsonSchema:
    """A list of them."""
    return {"type": "array", "items": one_of(words)}


def takes(schema: JsonSchema) -> Callable[[F], F]:
    """Say of a function what it takes: for tables whose rows are checks of input."""

    def told(function: F) -> F:
        function.__dict__["takes"] = schema
        return function

    return told


def taken_by(function: Function) -> JsonSchema:
    """What was said of a function that it takes; anything, where nothing was."""
    found: JsonSchema = getattr(function, "takes", {})
    return found


@dataclass(frozen=True)
class Parameter:
    """A parameter beside the path, with its JSON Schema."""

    name: str
    schema: JsonSchema = field(default_factory=lambda: TEXT)
    text: str = ""
    place: Literal["query", "header"] = "query"
    is_needed: bool = False


@dataclass(frozen=True)
class Body:
    """The object of a request's body, under the key `wrapper` where there is one.

    `attributes` are fields of the input type of the operation's variables, by their names here;
    `own` are described by themselves. `is_open`: other keys beside the wrapper are read as well.
    Texts of the format `binary` are files of a form.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, JsonSchema] = field(default_factory=dict)
    wrapper: str | None = None
    needed: tuple[str, ...] = ()
    is_open: bool = False
    media: str = "application/json"


@dataclass(frozen=True)
class Described:
    """Facts for the documentation. What is read is told of the function that reads it.

    For a function made by another one, name the other. `word` writes a value of an enumeration as
    the dialect does. `known` are values of leaves (`Type.field`) on whose form a shape relies,
    `reasons` what faults are told apart by beside their code, `codes` what the reader of bodies
    fails with beside that, `common` parameters of every route. `read` makes of a body what
    functions see of it. `files` are functions whose answer is a file of some media type.
    """

    title: str = ""
    text: str = ""
    parameters: Mapping[Function, tuple[Parameter, ...]] = field(default_factory=dict)
    bodies: Mapping[Function, Body] = field(default_factory=dict)
    path: Mapping[str, JsonSchema] = field(default_factory=dict)
    common: tuple[Parameter, ...] = ()
    security: Mapping[str, JsonSchema] = field(default_factory=dict)
    needs: Mapping[str, Sequence[Mapping[str, Sequence[str]]]] = field(default_factory=dict)
    """For each kind of credential the schemes of which one is enough."""
    word: Callable[[str], str] = str
    known: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    reasons: Sequence[tuple[str, str]] = ()
    codes: tuple[str, ...] = ()
    read: Callable[[Any], Any] = lambda body: body
    files: Mapping[Function, str] = field(default_factory=dict)

    def parameters_of(self, function: Function) -> tuple[Parameter, ...]:
        """What a function reads of query and headers."""
        return next((p for f, p in self.parameters.items() if _same(f, function)), ())

    def body_of(self, function: Function) -> Body | None:
        """What a function reads of the body, if it is told."""
        return next((b for f, b in self.bodies.items() if _same(f, function)), None)


def _same(one: Function, other: Function) -> bool:
    return _origin(one) == _origin(other)


def _origin(function: Function) -> tuple[str, str]:
    """Module and name; of a function made within another one, those of the other."""
    name = getattr(function, "__qualname__", "")
    return function.__module__, name.partition(".<locals>")[0]
