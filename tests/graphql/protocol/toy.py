"""A small schema with one of everything that the protocol has to cope with."""

import asyncio
from collections.abc import AsyncGenerator
from enum import Enum

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from app.core.errors import Conflict, NotFound, RateLimited, Unauthenticated, Unavailable
from app.core.rules import Subject
from app.graphql.context import Context

ToyInfo = Info[Context, None]


class Seen:
    """What resolvers did, for tests to look at."""

    def __init__(self) -> None:
        self.mutations = 0
        self.cancelled = 0
        self.open_streams = 0
        self.revoked: set[str] = set()


SEEN = Seen()
SECRET = "canary-in-an-exception"


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"


@strawberry.type
class Friends:
    nodes: list["Person"]
    total_count: int


@strawberry.input
class Wish:
    name: str
    size: int = 1
    inner: "Wish | None" = None


@strawberry.type
class Person:
    name: str

    @strawberry.field
    def friends(self, first: int | None = None, last: int | None = None) -> Friends:
        count = min(first or last or 20, 100)
        return Friends(nodes=[Person(name=str(n)) for n in range(count)], total_count=count)

    @strawberry.field
    def self_(self) -> "Person":
        return self

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError(SECRET)


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def person(self, name: str = "ada") -> Person:
        return Person(name=name)

    @strawberry.field
    def people(self, first: int | None = None) -> list[Person]:
        return [Person(name=str(n)) for n in range(first or 20)]

    @strawberry.field
    def wished(self, wish: Wish) -> str:
        return wish.name

    @strawberry.field
    def numbers(self, values: list[int]) -> int:
        return len(values)

    @strawberry.field
    def echo(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def colour(self, value: Colour) -> Colour:
        return value

    @strawberry.field
    def bug(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    def null_bug(self) -> str:
        return None  # type: ignore[return-value]

    @strawberry.field
    def bad_number(self) -> int | None:
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound("There is no such thing.", path=("input", "id"))

    @strawberry.field
    def conflict(self) -> str | None:
        raise Conflict("It has changed. Read it again.", version=7)

    @strawberry.field
    def private(self) -> str | None:
        raise Unauthenticated("Sign in.")

    @strawberry.field
    def limited(self) -> str | None:
        raise RateLimited("Too many attempts.", 42)

    @strawberry.field
    def away(self) -> str | None:
        raise Unavailable("The database is away.")

    @strawberry.field
    def refused_connection(self) -> str | None:
        raise ConnectionRefusedError(SECRET)

    @strawberry.field
    async def slow(self, seconds: float = 30) -> str | None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            SEEN.cancelled += 1
            raise
        return "done"

    @strawberry.field
    def who(self, info: ToyInfo) -> str | None:
        return info.context.subject.username


@strawberry.type
class Mutation:
    @strawberry.mutation
    def count(self) -> int:
        SEEN.mutations += 1
        return SEEN.mutations

    @strawberry.mutation
    async def slow(self) -> int:
        await asyncio.sleep(30)
        return 1


async def _counting(upto: int, delay: float) -> AsyncGenerator[int, None]:
    SEEN.open_streams += 1
    try:
        for number in range(upto):
            yield number
            await asyncio.sleep(delay)
    finally:
        SEEN.open_streams -= 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, upto: int = 3, delay: float = 0.0) -> AsyncGenerator[int, None]:
        async for number in _counting(upto, delay):
            yield number

    @strawberry.subscription
    async def silent(self) -> AsyncGenerator[int, None]:
        async for number in _counting(1, 3600):
            yield number

    @strawberry.subscription
    async def flood(self) -> AsyncGenerator[str, None]:
        while True:
            yield "x" * 100_000
            await asyncio.sleep(0)

    @strawberry.subscription
    async def failing(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError(SECRET)

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int, None]:
        raise NotFound("There is no such run.")
        yield 1

    @strawberry.subscription
    async def people(self) -> AsyncGenerator[Person, None]:
        yield Person(name="ada")


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)


def subject_of(token: str, *, by_cookie: bool = False) -> Subject:
    """The caller that a token names: any name but `wrong` and the revoked ones."""
    if token == "wrong" or token in SEEN.revoked:
        raise Unauthenticated("The token is wrong.")
    if token == "away":
        raise ConnectionRefusedError(SECRET)
    if token == "bug":
        raise RuntimeError(SECRET)
    if token == "limited":
        raise RateLimited("Too many attempts.", 9)
    return Subject(kind="session", user_id=1, username=token, by_cookie=by_cookie)
