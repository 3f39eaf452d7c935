"""PostgreSQL for source and destination: how to get in, and what its errors mean."""

import re
from collections.abc import Mapping
from typing import Any

import duckdb

from workers.connectors import duck
from workers.connectors.base import Config, Session, SyncError, literal, quote
from workers.connectors.certificates import pem_files
from workers.connectors.faults import fault
from workers.connectors.postgres_parameters import connection_options

CONNECT_S = 10
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
_CERTIFICATES = {
    "server_ca": "sslrootcert",
    "client_cert": "sslcert",
    "client_key": "sslkey",
}


class Postgres:
    """One attached PostgreSQL database, under the name `alias` of the session's connection."""

    def __init__(self, session: Session, config: Config, alias: str) -> None:
        self.session = session
        self.config = config
        self.alias = alias
        self.duck = session.duck
        """The connection that it works in."""

    def attach(self, *, read_only: bool, settings: Mapping[str, str] | None = None) -> None:
        """Connect, with settings of the server's session; SyncError says in plain words why not."""
        duck.load(self.duck, "postgres_scanner")
        access = self.config.get("warehouse") or self.config
        secret = {
            "HOST": self._text(access, "host"),
            "PORT": str(self._port(access)),
            "DATABASE": self._text(access, "database"),
            "USER": self._text(access, "username"),
            "PASSWORD": str(access.get("password") or ""),
        }
        options = {
            "connect_timeout": str(CONNECT_S),
            "application_name": "isthmus",
            **connection_options(self.config.get("jdbc_url_params") or {}),
            "passfile": "/dev/null",
        }
        if settings:
            own = " ".join(f"-c {name}={value}" for name, value in settings.items())
            theirs = options.get("options", "").strip("'")
            options["options"] = f"'{theirs} {own}'"
        if access is self.config:
            options |= self._network()
        said = ", ".join(f"{name} {literal(value)}" for name, value in secret.items())
        mode = ", READ_ONLY" if read_only else ""
        try:
            self.duck.execute(
                f"CREATE OR REPLACE TEMPORARY SECRET {self.alias} (TYPE postgres, {said})"
            )
            self.duck.execute(
                f"ATTACH {literal(_joined(options))} AS {self.alias} "
                f"(TYPE postgres, SECRET {self.alias}{mode})"
            )
            # The attachment itself connects lazily.
            self.rows("SELECT 1 AS one")
        except duckdb.Error as error:
            raise fault(error) from None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, in the current transaction."""
        try:
            return self.duck.execute(f"SELECT * FROM {self.query(sql)}").fetchall()
        except duckdb.Error as error:
            raise fault(error) from None

    def execute(self, sql: str) -> None:
        """Run one statement, in the current transaction."""
        try:
            self.duck.execute(f"CALL postgres_execute({literal(self.alias)}, {literal(sql)})")
        except duckdb.Error as error:
            raise fault(error) from None

    def query(self, sql: str) -> str:
        """A relation of DuckDB for a query that PostgreSQL answers in one stream."""
        return f"postgres_query({literal(self.alias)}, {literal(sql)})"

    def table(self, schema: str, name: str) -> str:
        """A relation of DuckDB for a table, scanned in parallel."""
        return f"{self.alias}.{quote(schema)}.{quote(name)}"

    def _network(self) -> dict[str, str]:
        """Options for a server that a user has named: the checked address, and TLS."""
        for name in ("host", "database", "username"):
            if re.search(r"[\s'\\]", self._text(self.config, name)):
                raise SyncError(f"The setting {name} has signs that it cannot have.")
        host = self._text(self.config, "host")
        if host.startswith(("/", "@")):
            raise SyncError("The host must be a name or an address, not a path.")
        tunnel = (self.config.get("ssh_config") or {}).get("type", "no_tunnel")
        if tunnel != "no_tunnel":
            raise SyncError("SSH tunnels are not supported: give an address that is reachable.")
        address = self.session.address(host, self._port(self.config))
        return {"hostaddr": address, **self._tls(self.config.get("ssl") or {})}

    def _tls(self, ssl: Config) -> dict[str, str]:
        mode = str(ssl.get("mode") or "disable")
        if mode == "disable":
            # A parameter may ask for more than the form, never for less.
            mode = str((self.config.get("jdbc_url_params") or {}).get("sslmode") or mode)
        if mode not in SSL_MODES:
            raise SyncError(f"The SSL mode must be one of {', '.join(SSL_MODES)}.")
        options = {"sslmode": mode}
        files = pem_files(self.session, self.alias, ssl, _CERTIFICATES)
        return options | {_CERTIFICATES[name]: str(path) for name, path in files.items()}

    def _text(self, access: Config, name: str) -> str:
        value = access.get(name)
        if not isinstance(value, str) or not value:
            raise SyncError(f"The setting {name} is missing.")
        return value

    def _port(self, access: Config) -> int:
        try:
            port = int(access.get("port") or 5432)
        except (TypeError, ValueError):
            port = 0
        if not 0 < port < 65536:
            raise SyncError("The port must be a number from 1 to 65535.")
        return port


def _joined(options: Config) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())
