"""MySQL and MariaDB: how to get in, by DuckDB for rows and by PyMySQL for all else."""

import re
import ssl
from pathlib import Path
from typing import Any

import duckdb
import pymysql

from workers.connectors import duck
from workers.connectors.base import Config, Session, SyncError, literal
from workers.connectors.certificates import pem_files
from workers.connectors.faults import fault

ALIAS = "mysql_source"
CONNECT_S = 10
IDLE_S = 24 * 3600
"""So long the server keeps a connection that waits for a load to end."""
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
_CERTIFICATES = ("server_ca", "client_cert", "client_key")
_SETTINGS = (
    # A tinyint(1) holds more than two values.
    "mysql_tinyint1_as_boolean = false",
    "mysql_incomplete_dates_as_nulls = true",
    "mysql_session_time_zone = '+00:00'",
    "mysql_query_timeout_enabled = false",
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class Mysql:
    """One server, in two connections; both keep their times in UTC."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.config = config

    def open(self) -> None:
        """Connect both; SyncError says in plain words why not."""
        self._verify()
        self.host = self.text("hosts")
        self.port = self._port()
        self.address = self.session.address(self.host, self.port)
        self.certificates = pem_files(self.session, ALIAS, self.config.get("ssl"), _CERTIFICATES)
        self.connection = self.connect()
        self._attach()

    def connect(self, **more: Any) -> Any:
        """A PyMySQL connection."""
        try:
            return pymysql.connect(**self.access(), **more)
        except (pymysql.MySQLError, OSError) as error:
            raise my_fault(error) from None

    def access(self) -> dict[str, Any]:
        """What PyMySQL needs to get in."""
        return {
            "host": self.address,
            "port": self.port,
            "user": self.text("username"),
            "password": str(self.config.get("password") or ""),
            "database": self.text("database"),
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_S,
            "autocommit": True,
            "init_command": f"SET time_zone = '+00:00', wait_timeout = {IDLE_S}",
            **self._tls(),
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query that has few."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except (pymysql.MySQLError, OSError) as error:
            raise my_fault(error) from None

    def query(self, sql: str) -> str:
        """A relation of DuckDB for a query, whose rows are streamed."""
        return f"mysql_query({literal(ALIAS)}, {literal(sql)})"

    def close(self) -> None:
        """Close what PyMySQL has opened; DuckDB's connection ends with the session's."""
        if (connection := getattr(self, "connection", None)) is not None:
            connection.close()

    def text(self, name: str) -> str:
        """A setting that must be there."""
        value = self.config.get(name)
        if not isinstance(value, str) or not value:
            raise SyncError(f"The setting {name} is missing.")
        return value

    def _attach(self) -> None:
        duck.load(self.session.duck, "mysql_scanner")
        secret = {
            "HOST": self.address,
            "PORT": str(self.port),
            "DATABASE": self.text("database"),
            "USER": self.text("username"),
            "PASSWORD": str(self.config.get("password") or ""),
        }
        mode = self._mode()
        if mode != "disable":
            # The name in the certificate was verified by PyMySQL, at this very address.
            secret["SSL_MODE"] = "required" if mode == "require" else "verify_ca"
            names = {"server_ca": "SSL_CA", "client_cert": "SSL_CERT", "client_key": "SSL_KEY"}
            secret |= {names[name]: str(path) for name, path in self.certificates.items()}
        else:
            secret["SSL_MODE"] = "disabled"
        said = ", ".join(f"{name} {literal(value)}" for name, value in secret.items())
        try:
            for setting in _SETTINGS:
                self.session.duck.execute(f"SET {setting}")
            self.session.duck.execute(
                f"CREATE OR REPLACE TEMPORARY SECRET {ALIAS} (TYPE mysql, {said})"
            )
            self.session.duck.execute(
                f"ATTACH '' AS {ALIAS} (TYPE mysql, SECRET {ALIAS}, READ_ONLY)"
            )
        except duckdb.Error as error:
            raise fault(error) from None

    def _verify(self) -> None:
        if re.search(r"[\s'\\/@,]", self.text("hosts")):
            raise SyncError("The host must be one name or address, not a path.")
        tunnel = (self.config.get("ssh_config") or {}).get("type", "no_tunnel")
        if tunnel != "no_tunnel":
            raise SyncError("SSH tunnels are not supported: give an address that is reachable.")
        if self._mode() not in SSL_MODES:
            raise SyncError(f"The SSL mode must be one of {', '.join(SSL_MODES)}.")

    def _mode(self) -> str:
        return str((self.config.get("ssl") or {}).get("mode") or "disable")

    def _tls(self) -> dict[str, Any]:
        mode = self._mode()
        if mode == "disable":
            return {"ssl_disabled": True}
        return {"ssl": _Tls(mode, self.host, self.certificates)}

    def _port(self) -> int:
        try:
            port = int(self.config.get("port") or 3306)
        except (TypeError, ValueError):
            port = 0
        if not 0 < port < 65536:
            raise SyncError("The port must be a number from 1 to 65535.")
        return port


class _Tls(ssl.SSLContext):
    """A context that expects the certificate of a name, whatever address is called."""

    def __new__(cls, mode: str, name: str, files: dict[str, Path]) -> "_Tls":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, mode: str, name: str, files: dict[str, Path]) -> None:
        self.name = name
        self.check_hostname = mode == "verify-full"
        self.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
        if mode.startswith("verify") and "server_ca" not in files:
            raise SyncError("The setting ssl.server_ca is missing.")
        if "server_ca" in files:
            self.load_verify_locations(files["server_ca"])
        if "client_cert" in files:
            self.load_cert_chain(files["client_cert"], files.get("client_key"))

    def wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
        """As asked for, with the name."""
        return super().wrap_socket(sock, *args, **{**kwargs, "server_hostname": self.name})


def my_quote(name: str) -> str:
    """A name as an identifier of MySQL."""
    return "`" + name.replace("`", "``") + "`"


def my_literal(text: str) -> str:
    """A text as a literal of MySQL, in whatever mode the server reads backslashes."""
    return f"_utf8mb4 X'{text.encode().hex()}'"


def my_number(text: str) -> str:
    """A number as a literal: MySQL compares a number with a text as floats."""
    if _NUMBER.fullmatch(text) is None:
        raise SyncError(f"{text[:40]} is no number, and is compared with a column of numbers.")
    return text


def my_fault(error: Exception) -> SyncError:
    """What PyMySQL means."""
    code = error.args[0] if error.args else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if code in (1045, 1698):
        return SyncError("The server refuses the user name or the password.")
    if code in (2003, 2006, 2013, 1040, 1053, 1927) or isinstance(error, OSError):
        return SyncError("The server cannot be reached, or went away.", retry=True)
    if code in (1044, 1142, 1227):
        return SyncError(f"The user lacks a right: {text[:200]}")
    return SyncError(f"The database says: {text[:300]}", retry=code in (1205, 1213))
