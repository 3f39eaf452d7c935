"""What a caller is told of a failure: a code always, the message only if it is meant for them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import redis.exceptions
import sqlalchemy.exc
import structlog
from graphql import GraphQLError

from app.core.errors import DomainError

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
TOO_COMPLEX = "QUERY_TOO_COMPLEX"
UNAUTHENTICATED = "UNAUTHENTICATED"
FORBIDDEN = "FORBIDDEN"
RATE_LIMITED = "RATE_LIMITED"
UNAVAILABLE = "UNAVAILABLE"
TIMEOUT = "TIMEOUT"
INTERNAL = "INTERNAL"

MAX_MESSAGE = 1024
MAX_MESSAGES = 8 * 1024
UNAVAILABLE_RETRY_S = 5

_SUGGESTION = re.compile(r"\s*Did you mean .*?\?", re.DOTALL)
# Classes 08 (connection), 57P0x (shutdown, starting up), 53300 (too many connections), 40001 and
# 40P01 (gave way to another transaction): the same request can be sent again.
_AWAY_SQLSTATES = ("08", "57P", "53300", "40001", "40P01")
_CANCELLED_SQLSTATE = "57014"
# Class 54 (program limit exceeded): a text too long for an index, an answer of a gigabyte.
_LIMIT_SQLSTATES = "54"
_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)

log = structlog.get_logger("graphql")

FormattedError = dict[str, Any]


class Refused(Exception):
    """An operation that was not started, with the errors to show for it."""

    def __init__(self, errors: Sequence[FormattedError]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = list(errors)

    @classmethod
    def because(cls, message: str, code: str) -> "Refused":
        """One error without a place in the document."""
        return cls([{"message": message, "extensions": {"code": code}}])


def code_of(error: BaseException) -> str:
    """The code of any exception: a domain error's own, UNAVAILABLE, TIMEOUT, TOO_COMPLEX, INTERNAL."""
    if isinstance(error, DomainError):
        return error.code
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    sqlstate = getattr(cause, "sqlstate", None)
    if isinstance(sqlstate, str):
        if sqlstate == _CANCELLED_SQLSTATE:
            return TIMEOUT
        if sqlstate.startswith(_LIMIT_SQLSTATES):
            return TOO_COMPLEX
        return UNAVAILABLE if sqlstate.startswith(_AWAY_SQLSTATES) else INTERNAL
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return UNAVAILABLE
    return UNAVAILABLE if isinstance(error, _AWAY) else INTERNAL


def from_exception(error: BaseException, request_id: str) -> FormattedError:
    """An exception as an error without a place; the unexpected is masked and logged."""
    if isinstance(error, DomainError):
        extensions = {**error.extensions, "code": error.code}
        if error.path:
            extensions["inputPath"] = list(error.path)
        return {"message": error.message, "extensions": extensions}
    code = code_of(error)
    if code == UNAVAILABLE:
        log.warning("graphql.unavailable", request_id=request_id, error=type(error).__name__)
        return {
            "message": "The database is away. Repeat the request in a few seconds.",
            "extensions": {"code": code, "retryAfter": UNAVAILABLE_RETRY_S},
        }
    if code == TIMEOUT:
        log.warning("graphql.timed_out", request_id=request_id)
        return timed_out()
    if code == TOO_COMPLEX:
        log.warning("graphql.too_much", request_id=request_id, error=str(error)[:200])
        text = "This is more than the database can hold in one place. Send less, or ask for less."
        return {"message": text, "extensions": {"code": code}}
    log.error("graphql.failed", request_id=request_id, exc_info=error)
    return {
        "message": f"Internal error. Report it with the request id {request_id}.",
        "extensions": {"code": INTERNAL, "requestId": request_id},
    }


def timed_out() -> FormattedError:
    """The error of an operation that ran out of time."""
    return {
        "message": "The operation took too long. Ask for less at once.",
        "extensions": {"code": TIMEOUT},
    }


def refusals(
    errors: Iterable[GraphQLError], code: str, *, suggestions: bool = False
) -> list[FormattedError]:
    """Errors found before execution; `code` is for those that carry none."""
    return _bounded(_placed(error, _plain(error, code, suggestions)) for error in errors)


def execution_errors(
    errors: Iterable[GraphQLError], request_id: str, *, suggestions: bool = False
) -> list[FormattedError]:
    """Errors of fields. Messages of unexpected exceptions are masked; each fault is logged once."""
    seen: dict[tuple[type[BaseException], str], FormattedError] = {}
    shown = []
    for error in errors:
        cause = error.original_error
        if cause is None or isinstance(cause, GraphQLError):
            source = cause or error
            if "code" in (error.extensions or {}):
                shown.append(_placed(error, _plain(error, INTERNAL, suggestions)))
                continue
            if source.nodes:
                # The executor names argument nodes only for values that it could not read.
                shown.append(_placed(error, _plain(error, BAD_USER_INPUT, suggestions)))
                continue
            cause = source
        key = (
            type(cause),
            str(cause) if isinstance(cause, DomainError) else _names(error),
        )
        if key not in seen:
            seen[key] = from_exception(cause, request_id)
        shown.append(_placed(error, seen[key]))
    return _bounded(shown)


def retry_after(errors: Iterable[FormattedError]) -> int | None:
    """Seconds until a repetition makes sense, if one of the errors says so."""
    waits = [error["extensions"].get("retryAfter") for error in errors]
    seconds = [wait for wait in waits if isinstance(wait, int | float)]
    if seconds:
        return max(1, int(max(seconds)))
    codes = {error["extensions"]["code"] for error in errors}
    return UNAVAILABLE_RETRY_S if codes & {UNAVAILABLE, RATE_LIMITED} else None


def _names(error: GraphQLError) -> str:
    """The response path without list positions."""
    return ".".join(step for step in error.path or () if isinstance(step, str))


def _plain(error: GraphQLError, code: str, suggestions: bool) -> FormattedError:
    message = error.message if suggestions else _SUGGESTION.sub("", error.message)
    return {
        "message": message,
        "extensions": {"code": code, **(error.extensions or {})},
    }


def _placed(error: GraphQLError, shown: FormattedError) -> FormattedError:
    message = shown["message"]
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "…"
    placed: FormattedError = {"message": message}
    if error.locations:
        placed["locations"] = [
            {"line": place.line, "column": place.column} for place in error.locations[:20]
        ]
    if error.path is not None:
        placed["path"] = list(error.path)
    placed["extensions"] = shown["extensions"]
    return placed


def _bounded(errors: Iterable[FormattedError]) -> list[FormattedError]:
    """As many as fit into 8 KiB of messages, at least one."""
    kept: list[FormattedError] = []
    room = MAX_MESSAGES
    for error in errors:
        room -= len(error["message"].encode())
        if room < 0 and kept:
            break
        kept.append(error)
    return kept
