"""What mutations answer: the entity, and the errors that the sender of the input can correct."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import strawberry

from app.core.errors import Invalid, NotFound
from app.core.ids import parse_global_id, row_number

P = TypeVar("P")
MAX_MESSAGE = 1024


@strawberry.interface(description="A fault in a mutation's input that its sender can correct.")
class UserError:
    """Message, code and place of the fault."""

    message: str = strawberry.field(description="What is wrong, in words.")
    path: list[str] = strawberry.field(description="Names of the input's fields that it is about.")


def mutation(
    payload: Callable[..., P], error: Any, description: str
) -> Callable[[Callable[..., Awaitable[P]]], Any]:
    """A root field whose correctable faults become `errors` of its payload."""

    def wrap(resolve: Callable[..., Awaitable[P]]) -> Any:
        @functools.wraps(resolve)
        async def answer(*args: Any, **kwargs: Any) -> P:
            kwargs["info"].context.forget()
            try:
                return await resolve(*args, **kwargs)
            except Invalid as fault:
                codes = error.__annotations__["code"]
                reason = fault.reason if fault.reason in codes.__members__ else "INVALID"
                message = fault.message[:MAX_MESSAGE]
                made = error(message=message, code=codes[reason], path=list(fault.path))
                return payload(errors=[made])

        field = strawberry.mutation(answer, description=description)
        assert field.base_resolver is not None
        for argument in field.base_resolver.arguments:
            argument.description = "What to do it with; its type says more."
        return field

    return wrap


def key_of(given: str, type_name: str, what: str) -> str:
    """The row key of a global id; NotFound for an id of another type."""
    parsed = parse_global_id(given)
    if parsed is None:
        raise Invalid(f"{given[:100]!r} is not an id of ours.", path=("id",))
    if parsed[0] != type_name:
        raise NotFound(f"There is no such {what}.")
    return parsed[1]


def int_key(given: str, type_name: str, what: str) -> int:
    """The numeric row key of a global id."""
    key = row_number(key_of(given, type_name, what))
    if key is None:
        raise NotFound(f"There is no such {what}.")
    return key


def given(input_object: Any, *names: str) -> dict[str, Any]:
    """The named fields of an input that its sender set; null is a value, left out is not."""
    return {n: v for n in names if (v := getattr(input_object, n)) is not strawberry.UNSET}
