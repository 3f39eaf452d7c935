"""The limit: what somebody would write by hand for each operation, PostgreSQL making the JSON.

Starlette and asyncpg, the pool set up as ours for reads. No schema, no users, no limits. `hello`
answers nothing, `R` is the list of Mage's dialect without GraphQL behind it.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SQL = Path(__file__).parent / "limit"
PROJECT = 1
ROW_FILTER = [1]


def statement(name: str) -> str:
    """The SQL of an operation."""
    return (SQL / f"{name}.sql").read_text()


async def _leave(_: Any) -> None:
    """Sessions have nothing to reset."""


async def _pool(**settings: str) -> asyncpg.Pool:
    size = int(os.environ["BENCH_POOL"])
    return await asyncpg.create_pool(
        os.environ["BENCH_DSN"],
        min_size=size,
        max_size=size,
        reset=_leave,
        server_settings={"timezone": "UTC", **settings},
    )


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Pools for reads and writes."""
    reads = {"plan_cache_mode": "force_generic_plan", "default_transaction_read_only": "on"}
    async with await _pool(**reads) as pool, await _pool() as writes:
        app.state.pool, app.state.writes = pool, writes
        yield


def _json(text: str) -> Response:
    return Response(text.encode(), media_type="application/json")


def route(name: str, *wanted: str) -> Any:
    """A route that runs one statement with the project and these variables."""
    text = statement(name)

    async def answer(request: Request) -> Response:
        values = []
        if wanted:
            variables = orjson.loads(await request.body())["variables"]
            values = [variables[one] for one in wanted]
        return _json(await request.app.state.pool.fetchval(text, PROJECT, *values))

    return answer


def filtered(name: str) -> Any:
    """A route whose statement filters rows by the caller's projects."""
    text = statement(name)

    async def answer(request: Request) -> Response:
        uuid = orjson.loads(await request.body())["variables"]["uuid"]
        pool = request.app.state.pool
        return _json(await pool.fetchval(text, PROJECT, uuid, ROW_FILTER))

    return answer


def listed() -> Any:
    """The REST list."""
    text = statement("R")

    async def answer(request: Request) -> Response:
        limit = int(request.query_params["_limit"])
        return _json(await request.app.state.pool.fetchval(text, PROJECT, limit))

    return answer


def created() -> Any:
    """The create."""
    text = statement("M")

    async def answer(request: Request) -> Response:
        name = orjson.loads(await request.body())["name"]
        uuid = name.lower().replace(" ", "_")
        return _json(await request.app.state.writes.fetchval(text, PROJECT, name, uuid))

    return answer


async def hello(_: Request) -> Response:
    """The least that a request can cost here."""
    return Response(b"{}", media_type="application/json")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/healthz", hello),
        Route("/S", route("S", "uuid"), methods=["POST"]),
        Route("/N", route("N"), methods=["POST"]),
        Route("/L", route("L"), methods=["POST"]),
        Route("/P", route("P", "pipeline"), methods=["POST"]),
        Route("/A", filtered("A"), methods=["POST"]),
        Route("/M", created(), methods=["POST"]),
        Route("/R", listed()),
    ],
)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
