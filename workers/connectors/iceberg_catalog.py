"""Catalogs of Iceberg: SQL (`jdbc`) and REST, from a destination's settings."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import requests
from pyiceberg.catalog import Catalog, MetastoreCatalog
from pyiceberg.exceptions import (
    ForbiddenError,
    NoSuchNamespaceError,
    OAuthError,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    UnauthorizedError,
    ValidationError,
)
from pyiceberg.typedef import EMPTY_DICT
from sqlalchemy.exc import DBAPIError

from workers.connectors import s3
from workers.connectors.base import Config, Session, SyncError
from workers.connectors.door import Door
from workers.connectors.iceberg_io import IMPLEMENTATION, PROXY, ROOT, inside
from workers.connectors.s3 import endpoint_url

REST = ("rest", "lakekeeper", "nessie", "polaris")
DEFAULT_NAME = "olake_iceberg"
_AWAY = (requests.ConnectionError, requests.Timeout, ServiceUnavailableError, ServerError)


def connect(session: Session, writer: Config, door: Door) -> Catalog:
    """The catalog; SyncError says in plain words why not."""
    kind = str(writer.get("catalog_type") or "")
    if kind == "jdbc":
        return _sql(session, writer, door)
    if kind in REST:
        return _rest(session, writer, door)
    raise SyncError(
        f"Iceberg catalogs of type {kind} are not supported: use jdbc, {', '.join(REST)}."
    )


def fault(error: Exception, door: Door) -> SyncError:
    """What an error of a catalog, or of its storage, means to its user."""
    if isinstance(error, SyncError):
        return error
    if door.refused is not None:
        refused, door.refused = door.refused, None
        return refused
    if isinstance(error, UnauthorizedError | OAuthError):
        return SyncError("The Iceberg catalog refuses the credentials.")
    if isinstance(error, ForbiddenError):
        return SyncError("The Iceberg catalog does not allow this with these credentials.")
    if isinstance(error, _AWAY):
        return SyncError("The Iceberg catalog cannot be reached, or went away.", retry=True)
    if isinstance(error, NoSuchNamespaceError):
        return SyncError("The Iceberg catalog has no such warehouse or namespace.")
    if isinstance(error, RESTError):
        return SyncError(f"The Iceberg catalog says: {str(error)[:300]}")
    if isinstance(error, DBAPIError):
        return _sql_fault(error)
    if isinstance(error, OSError) and "AWS Error" in str(error):
        return s3.fault(error)
    if isinstance(error, ValueError | ValidationError):
        # What a file has, pydantic would tell: it may be another project's.
        return SyncError("What the catalog names is no metadata of a table.")
    return SyncError(f"The Iceberg table cannot be used: {str(error)[:300]}")


def _sql_fault(error: DBAPIError) -> SyncError:
    text = str(error.orig)
    if "password" in text or "28P01" in text or "28000" in text:
        return SyncError("The catalog's database refuses the user name or the password.")
    if "3D000" in text:
        return SyncError("The catalog's database does not exist.")
    away = any(sign in text.lower() for sign in ("connect", "network", "timed out", "locked"))
    return SyncError("The catalog's database cannot be used now, or went away.", retry=away)


def _sql(session: Session, writer: Config, door: Door) -> Catalog:
    # Here, for SQLAlchemy takes a while to import.
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy import event

    url, options = _database(session, writer)
    name = str(writer.get("catalog_name") or DEFAULT_NAME)
    files = _files(session, writer, door)
    properties = {**files, "uri": url, "warehouse": warehouse(session, writer)}

    class Connected(SqlCatalog):
        """With options that no URL can carry."""

        def _init_catalog(self) -> None:
            @event.listens_for(self.engine, "do_connect")
            def _options(dialect: Any, record: Any, args: Any, given: dict[str, Any]) -> None:
                given.update(options)

            super()._init_catalog()

        def _load_file_io(self, properties: Any = EMPTY_DICT, location: str | None = None) -> Any:
            return super()._load_file_io({**properties, **_bounds(files)}, location)

    return Connected(name, **properties)


def _database(session: Session, writer: Config) -> tuple[str, dict[str, Any]]:
    """URL of SQLAlchemy, and options of the driver."""
    given = str(writer.get("jdbc_url") or "").removeprefix("jdbc:")
    parts = urlsplit(given)
    if parts.scheme == "sqlite":
        path = inside(session.data_root, given.removeprefix("sqlite:").removeprefix("//"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{path}", {"timeout": 30}
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise SyncError(
            "The JDBC URL must begin with jdbc:postgresql:// or jdbc:sqlite: and name a database."
        )
    host, port = parts.hostname, parts.port or 5432
    user = quote(str(writer.get("jdbc_username") or ""), safe="")
    password = quote(str(writer.get("jdbc_password") or ""), safe="")
    database = quote(unquote(parts.path.removeprefix("/")), safe="")
    options: dict[str, Any] = {"timeout": 10, "application_name": "isthmus"}
    mode = dict(parse_qsl(parts.query)).get("sslmode", "disable")
    address = session.address(host, port)
    if mode != "disable":
        options["ssl_context"] = _tls(mode, host)
    at = f"[{address}]" if ":" in address else address
    return f"postgresql+pg8000://{user}:{password}@{at}:{port}/{database}", options


def _tls(mode: str, host: str) -> ssl.SSLContext:
    """As libpq has its modes; names are held against the host, though its address is called."""
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.named = host
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    context.load_default_certs()
    return context


class _Named(ssl.SSLContext):
    named = ""

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**more, "server_hostname": self.named})


def _rest(session: Session, writer: Config, door: Door) -> Catalog:
    from pyiceberg.catalog.rest import RestCatalog

    url = str(writer.get("rest_catalog_url") or "")
    if urlsplit(url).scheme not in ("http", "https"):
        raise SyncError("The URL of the REST catalog must begin with http:// or https://.")
    if writer.get("rest_signing_v_4") or writer.get("rest_auth_type") == "sigv4":
        raise SyncError("Requests signed by Signature V4 are not supported: use OAuth2 or a token.")
    files = _files(session, writer, door)
    properties = {
        **files,
        "uri": url,
        "warehouse": str(writer.get("iceberg_s3_path") or ""),
        "token": str(writer.get("token") or ""),
        "credential": str(writer.get("credential") or ""),
        "oauth2-server-uri": str(writer.get("oauth2_uri") or ""),
        "scope": str(writer.get("scope") or ""),
    }
    given = {name: value for name, value in properties.items() if value}

    class Connected(RestCatalog):
        """With files in our bounds."""

        def _load_file_io(self, properties: Any = EMPTY_DICT, location: str | None = None) -> Any:
            return super()._load_file_io({**properties, **_bounds(files)}, location)

    # Not only the catalog: what it names for tokens is called by the same client.
    door.lead()
    return Connected(str(writer.get("catalog_name") or DEFAULT_NAME), **given)


def _files(session: Session, writer: Config, door: Door) -> dict[str, str]:
    endpoint = endpoint_url(
        str(writer.get("s3_endpoint") or ""), ssl=bool(writer.get("s3_use_ssl"))
    )
    properties = {
        "py-io-impl": IMPLEMENTATION,
        ROOT: str(session.data_root.resolve()),
        PROXY: door.url,
        "s3.endpoint": endpoint,
        "s3.region": str(writer.get("aws_region") or ""),
        "s3.access-key-id": str(writer.get("aws_access_key") or ""),
        "s3.secret-access-key": str(writer.get("aws_secret_key") or ""),
        "s3.path-style-access": str(bool(writer.get("s3_path_style", True))).lower(),
    }
    return {name: value for name, value in properties.items() if value}


def _bounds(files: Mapping[str, str]) -> dict[str, str]:
    """What neither a table's properties nor a catalog's answers may say of files."""
    return {name: files.get(name, "") for name in ("py-io-impl", ROOT, PROXY)}


def warehouse(session: Session, writer: Config) -> str:
    """Where the settings have tables lie, unless the catalog says otherwise: s3:// or file://."""
    path = str(writer.get("iceberg_s3_path") or "")
    if path.startswith(("s3://", "s3a://")):
        return path.rstrip("/")
    return f"file://{inside(session.data_root, path or 'iceberg')}"


def purge(catalog: Catalog, identifier: tuple[str, str]) -> None:
    """Drop a table with its files, where the catalog can."""
    if isinstance(catalog, MetastoreCatalog):
        catalog.purge_table(identifier)
        return
    try:
        catalog.purge_table(identifier)
    except RESTError:
        catalog.drop_table(identifier)
