"""What DuckDB and the servers behind it meant, in one sentence without statements or secrets."""

import re
import traceback

import duckdb

from workers.connectors.base import SyncError

_REFUSED = {
    "password authentication failed": "The server refuses the user name or the password.",
    "access denied for user": "The server refuses the user name or the password.",
    "no pg_hba.conf entry": "The server admits no connection from here (pg_hba.conf).",
    "does not support ssl": "The server offers no TLS: set the SSL mode to disable.",
    "certificate verify failed": "The server's certificate is not signed by the given authority.",
    "expected an array with": (
        "An array column holds arrays of other dimensions than its table declares: declare them, or "
        "leave the column out."
    ),
    "no space left on device": "The disk is full.",
}
_AWAY = (
    "connection refused",
    "timeout expired",
    "could not receive data",
    "server closed the connection",
    "the database system is",
    "terminating connection",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "network is unreachable",
    "no connection to the server",
    "connection reset",
    "lost connection",
)
_AGAIN = ("deadlock detected", "could not serialize access", "lock timeout")


def told(error: Exception) -> SyncError:
    """Any error as its reader needs it; the worker's log gets the traceback of what is ours."""
    if isinstance(error, SyncError):
        return error
    if isinstance(error, (duckdb.Error, OSError)):
        return fault(error)
    traceback.print_exception(error)
    return SyncError(f"The sync broke ({type(error).__name__}); the worker's log says more.")


def fault(error: Exception) -> SyncError:
    """The error as its reader needs it; one that may pass by itself is marked so."""
    text = str(error)
    lower = text.lower()
    for sign, sentence in _REFUSED.items():
        if sign in lower:
            return SyncError(sentence)
    if any(sign in lower for sign in _AWAY):
        return SyncError("The server cannot be reached, or went away.", retry=True)
    if "out of memory" in lower:
        return SyncError("The memory limit of syncs does not suffice for this stream.")
    again = any(sign in lower for sign in _AGAIN)
    said = re.search(r"(?:ERROR|FATAL):\s*(.+?)\s*(?:\n|$)", text)
    if said is not None:
        return SyncError(f"The database says: {said[1]}", retry=again)
    first = re.sub(r"[\"'][^\"']{60,}[\"']", "…", text.split("\n")[0])
    return SyncError(f"Reading or writing failed: {first[:300]}", retry=again)
