"""Structured logs: one line a request, without credentials."""

import logging
import re
import sys
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_least = logging.INFO
"""The level from which on lines are written."""

_TOKEN_PATH = re.compile(r"(/pipeline_runs/+)[^?]+")


def configure(level: str = "info") -> None:
    """Send our logs and the libraries' to standard error; JSON unless it is a terminal.

    Tracebacks never show local variables, which may hold secrets.
    """
    global _least
    _least = LEVELS[level]
    renderer: Any = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # It logs a traceback every few seconds for as long as PostgreSQL is away.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)


def public_path(path: str) -> str:
    """A request's path without the trigger token that it may carry; queries are never logged."""
    return _TOKEN_PATH.sub(r"\1***", path) if "/pipeline_schedules/" in path else path


class RequestLog:
    """ASGI middleware that logs method, path, status and milliseconds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _least > logging.INFO:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            log.info(
                "request.served",
                method=scope["method"],
                path=public_path(scope["path"]),
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 1),
            )
