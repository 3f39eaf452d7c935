"""Which database a profile means, and which ones are refused.

A connection is built from the keys named here and nothing else: what else a driver understands
(socket folders, password and service files) would lead to databases that are not the user's.
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.names import real_name

_MAX_CONNECT_S = 60.0
MEMORY = ":memory:"
# Answers for cloud metadata over IPv6, and is no link-local address.
_METADATA = ipaddress.ip_address("fd00:ec2::254")


@dataclass(frozen=True)
class PostgresTarget:
    """Where to connect; `trusted` is the built-in database, whose host may be a socket folder."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    schema: str = "public"
    connect_s: float = 10.0
    trusted: bool = False

    def addresses(self) -> list[str]:
        """Addresses to try; SqlFault if the name leads nowhere, or where no block may go."""
        if self.trusted:
            return [self.host]
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise SqlFault(f"The host {self.host} cannot be resolved.") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            _check_address(self.host, address)
        return addresses


def _check_address(host: str, text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    refused = address.is_link_local or address.is_multicast or address.is_unspecified
    if refused or address == _METADATA:
        raise SqlFault(f"The host {host} is refused: link-local and multicast are not reachable.")


def warehouse_target(url: str) -> PostgresTarget:
    """The built-in database by its URL, with a host in the query when it is a socket folder."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        port = parts.port or int(query.get("port", ["5432"])[0])
    except ValueError:
        raise SqlFault("The URL of the built-in database is not valid.") from None
    return PostgresTarget(
        host=parts.hostname or query.get("host", [""])[0],
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")),
        trusted=True,
    )


def postgres_target(
    profile: Mapping[str, Any],
    warehouse_url: str | None,
    database: str | None = None,
    schema: str | None = None,
) -> PostgresTarget:
    """The database of a profile, or the built-in one if the profile names no host."""
    host = str(profile.get("POSTGRES_HOST") or "").strip()
    if profile.get("warehouse") is True or not host:
        target = _built_in(warehouse_url, database)
    else:
        target = _of_profile(host, profile, database)
    wanted = schema or str(profile.get("POSTGRES_SCHEMA") or "")
    return replace(target, schema=real_name(wanted)) if wanted else target


def _built_in(url: str | None, database: str | None) -> PostgresTarget:
    if not url:
        raise SqlFault(
            "No database is configured: add POSTGRES_HOST, POSTGRES_DBNAME, POSTGRES_USER and "
            "POSTGRES_PASSWORD to a profile in io_config.yaml. (This installation has no "
            "built-in database.)"
        )
    target = warehouse_target(url)
    if database and database != target.database:
        raise SqlFault(
            f"The built-in database is called {target.database}; {database} is not reachable. "
            "Leave data_provider_database empty, or add a profile to io_config.yaml."
        )
    return target


def _of_profile(host: str, profile: Mapping[str, Any], database: str | None) -> PostgresTarget:
    method = str(profile.get("POSTGRES_CONNECTION_METHOD") or "direct")
    if method != "direct":
        raise SqlFault(f"POSTGRES_CONNECTION_METHOD {method} is not supported.", "unsupported")
    if "/" in host or host.startswith("@") or "," in host:
        raise SqlFault("POSTGRES_HOST must be one host name or address, not a socket path.")
    name = database or str(profile.get("POSTGRES_DBNAME") or "")
    user = str(profile.get("POSTGRES_USER") or "")
    if not name or not user:
        raise SqlFault("The profile needs POSTGRES_DBNAME and POSTGRES_USER.")
    return PostgresTarget(
        host=host,
        port=int(_number(profile, "POSTGRES_PORT", 5432.0, 65535.0)),
        user=user,
        password=str(profile.get("POSTGRES_PASSWORD") or ""),
        database=name,
        connect_s=_number(profile, "POSTGRES_CONNECT_TIMEOUT", 10.0, _MAX_CONNECT_S),
    )


def _number(profile: Mapping[str, Any], key: str, default: float, most: float) -> float:
    try:
        value = float(profile.get(key) or default)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 < value < float("inf"):
        # The value stays out of the message: it may have slipped from the password's line.
        raise SqlFault(f"{key} must be a positive number.")
    return min(value, most)


@dataclass(frozen=True)
class DuckTarget:
    """A database file, or `:memory:`."""

    path: str = MEMORY
    schema: str = "main"


def duckdb_target(
    profile: Mapping[str, Any],
    folder: Path,
    project: Path,
    database: str | None = None,
    schema: str | None = None,
) -> DuckTarget:
    """The database of a profile: a file below `folder` or `project`; memory if it names none."""
    wanted = str(profile.get("DUCKDB_DATABASE") or database or MEMORY).strip()
    named = schema or str(profile.get("DUCKDB_SCHEMA") or "main")
    return DuckTarget(_duckdb_path(wanted, folder, project), real_name(named))


def _duckdb_path(wanted: str, folder: Path, project: Path) -> str:
    if wanted == MEMORY:
        return MEMORY
    path = (folder / wanted).resolve()
    if ":" in wanted or not any(path.is_relative_to(r.resolve()) for r in (folder, project)):
        raise SqlFault(
            "DUCKDB_DATABASE must be a file name, which lies in the project's database folder, "
            f"or {MEMORY}."
        )
    return str(path)
