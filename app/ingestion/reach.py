"""What settings may not reach: sockets and files of the machine, addresses that are never called.

A name is looked up only when a worker connects, and checked then again.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn
from urllib.parse import urlsplit

from app.core.errors import Invalid
from app.core.outgoing import NotAllowed, Outgoing
from app.settings import get_settings

_HOST = re.compile(r"[A-Za-z0-9._:\-\[\]%]+")
_DATABASE = re.compile(r"[^=/\\?#@\x00]+")
_LOGIN_IN_URL = re.compile(r"://[^/@\s]+@|[?&;](password|user|pwd)=", re.IGNORECASE)
_JDBC = re.compile(r"(jdbc:)?(postgresql|postgres|mysql)://")

HOSTS = frozenset({"host", "hosts", "bootstrap_servers"})
URLS = frozenset(
    {"endpoint", "s3_endpoint", "glue_endpoint", "rest_catalog_url", "oauth2_uri", "hive_uri"}
)
PATHS = frozenset({"path", "local_path"})
FREE = frozenset({"jdbc_url_params", "additional_params"})
"""Settings that hold further parameters of a connection, by name."""

_COMMON = frozenset({"connectTimeout", "socketTimeout", "connect_timeout", "application_name"})
PARAMETERS: Mapping[str, frozenset[str]] = {
    "postgres": _COMMON
    | {"ApplicationName", "loginTimeout", "tcpKeepAlive", "sslmode", "statement_timeout"}
    | {"lock_timeout", "idle_in_transaction_session_timeout", "target_session_attrs"}
    | {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"}
    | {"currentSchema", "prepareThreshold", "binaryTransfer", "defaultRowFetchSize"},
    "mysql": _COMMON
    | {"charset", "characterEncoding", "serverTimezone", "connectionTimeZone", "useSSL"}
    | {"sslMode", "zeroDateTimeBehavior", "tinyInt1isBit", "useUnicode", "time_zone"}
    | {"read_timeout", "write_timeout", "allowPublicKeyRetrieval", "useCompression"},
    "mongodb": frozenset({"retryWrites", "retryReads", "w", "journal", "readConcernLevel"})
    | {"maxPoolSize", "minPoolSize", "maxIdleTimeMS", "connectTimeoutMS", "socketTimeoutMS"}
    | {"serverSelectionTimeoutMS", "appName", "authMechanism", "authSource", "directConnection"}
    | {"compressors", "tls", "replicaSet", "readPreference", "maxStalenessSeconds"},
}
"""Parameters that a connection may be given; anything else could name a file or a socket."""

IsSecret = Callable[[tuple[str, ...]], bool]


def check_reach(config: Mapping[str, Any], type_: str, is_secret: IsSecret) -> None:
    """Refuse settings that would open a socket or a file, or that have a login where all see it."""
    _check(config, type_, (), is_secret)


def _check(value: Any, type_: str, path: tuple[str, ...], is_secret: IsSecret) -> None:
    if isinstance(value, Mapping):
        if path and path[-1] in FREE:
            _check_parameters(value, type_, path)
        for name, item in value.items():
            _check(item, type_, (*path, str(name)), is_secret)
    elif isinstance(value, list):
        for item in value:
            _check(item, type_, path, is_secret)
    elif isinstance(value, str) and value and not is_secret(path):
        _check_text(value, path)


def _check_text(value: str, path: tuple[str, ...]) -> None:
    name = path[-1]
    if _LOGIN_IN_URL.search(value):
        _refuse(path, "must not hold a user or a password: these have settings of their own")
    if name in HOSTS:
        for host in value.split(","):
            _check_host(host.strip(), path)
    elif name in URLS and "://" in value:
        _check_url(value, path)
    elif name == "jdbc_url":
        _check_jdbc(value, path)
    elif name == "database" and not _DATABASE.fullmatch(value):
        _refuse(path, "must be the name of a database, nothing else")
    elif name in PATHS:
        _check_path(value, path)


def _check_host(host: str, path: tuple[str, ...]) -> None:
    if not _HOST.fullmatch(host):
        _refuse(path, "must be a host's name or address; sockets and paths are not allowed")
    literal = host if host.count(":") != 1 else host.partition(":")[0]
    try:
        Outgoing(private=get_settings().outside.outgoing_private).check_literal(literal)
    except NotAllowed as error:
        _refuse(path, f"is refused: {str(error)[0].lower()}{str(error)[1:].rstrip('.')}")


def _check_url(value: str, path: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        _refuse(path, "is no URL")
    if parts.scheme not in ("http", "https", "thrift"):
        _refuse(path, "must begin with http:// or https://")
    _check_host(host, path)


def _check_jdbc(value: str, path: tuple[str, ...]) -> None:
    if value.startswith("jdbc:sqlite:"):
        _check_path(value.removeprefix("jdbc:sqlite:"), path)
        return
    if not _JDBC.match(value):
        _refuse(path, "must begin with jdbc:postgresql://, jdbc:mysql:// or jdbc:sqlite:")
    parts = urlsplit(value.removeprefix("jdbc:"))
    _check_host(parts.hostname or "", path)
    if not _DATABASE.fullmatch(parts.path.removeprefix("/") or "x"):
        _refuse(path, "must end with the name of a database")
    type_ = "mysql" if parts.scheme == "mysql" else "postgres"
    given = [pair.partition("=")[0] for pair in parts.query.split("&") if pair]
    _check_parameters(dict.fromkeys(given), type_, path)


def _check_parameters(given: Mapping[str, Any], type_: str, path: tuple[str, ...]) -> None:
    allowed = PARAMETERS.get(type_, _COMMON)
    for name in given:
        if name not in allowed:
            shown = str(name)[:50]
            _refuse(path, f"may not have {shown!r}. Allowed: {', '.join(sorted(allowed))}")


def _check_path(value: str, path: tuple[str, ...]) -> None:
    given, root = PurePosixPath(value), PurePosixPath(get_settings().places.data_dir)
    inside = not given.is_absolute() or given.is_relative_to(root)
    if ".." in given.parts or not inside or value.startswith("~"):
        _refuse(path, "must lie below the data root (ISTHMUS_DATA_ROOT); give it relative to that")


def _refuse(path: tuple[str, ...], what: str) -> NoReturn:
    raise Invalid(
        f"{'.'.join(('config', *path))} {what}.", "CONFIG_INVALID", path=("config", *path)
    )
