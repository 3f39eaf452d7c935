"""What `jdbc_url_params` mean to libpq: a list of known names; what only Java's driver has is left."""

import re
from collections.abc import Mapping
from typing import Any

from workers.connectors.base import SyncError

_SAME = (
    "connect_timeout",
    "application_name",
    "target_session_attrs",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
)
_OTHERWISE = {
    "connectTimeout": "connect_timeout",
    "loginTimeout": "connect_timeout",
    "ApplicationName": "application_name",
    "tcpKeepAlive": "keepalives",
}
_OF_SESSION = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_WORDS = {"true": "1", "false": "0"}
_VALUE = re.compile(r"[\w.:-]{1,100}")


def connection_options(given: Mapping[str, Any]) -> dict[str, str]:
    """libpq's options for them, values in the form that a connection string takes."""
    options: dict[str, str] = {}
    session = []
    for name, value in given.items():
        text = str(value).strip()
        if not _VALUE.fullmatch(text):
            raise SyncError(f"The parameter {name[:50]} has a value that it cannot have.")
        if name in _OF_SESSION:
            session.append(f"-c {name}={text}")
        elif option := _OTHERWISE.get(name) or (name if name in _SAME else None):
            options[option] = _WORDS.get(text.lower(), text)
    if session:
        options["options"] = f"'{' '.join(session)}'"
    return options
