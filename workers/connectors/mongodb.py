"""MongoDB: how to get in, and what its errors mean.

None of `mongodb*.py` has met a real server: they were tried with PyMongo against a stand-in of the
tests that speaks MongoDB's protocol.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.timestamp import Timestamp
from pymongo import MongoClient, pool_shared
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from workers.connectors.base import Config, Session, SyncError
from workers.connectors.certificates import pem_files

CONNECT_MS = 10_000
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
MECHANISMS = ("DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN", "MONGODB-X509")
"""Others ask the machine itself, or its cloud, who it is."""
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    unicode_decode_error_handler="replace",
)
Documents = Collection[dict[str, Any]]
_HOST = re.compile(r"([A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.%]+\])(?::(\d{1,5}))?")
_CERTIFICATES = ("server_ca", "client_cert", "client_key")
_AWAY = (6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436)
_LOST = (280, 286, 40585, 40615)
_PARAMETERS = (
    *("retryReads", "maxPoolSize", "minPoolSize", "maxIdleTimeMS", "socketTimeoutMS"),
    *("serverSelectionTimeoutMS", "authMechanism", "authSource", "directConnection", "compressors"),
    *("tls", "replicaSet", "readPreference", "maxStalenessSeconds"),
)
"""What of `additional_params` counts for one who only reads."""


class Mongo:
    """One cluster, and in it the database that the settings name."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.config = config
        self.client: MongoClient[dict[str, Any]] | None = None
        self._refused: SyncError | None = None
        self._asked = False
        self._connect = pool_shared._create_connection

    @property
    def database(self) -> str:
        """The name of the database."""
        return self._text("database")

    def open(self) -> None:
        """Connect; SyncError says in plain words why not."""
        options = self._options()
        if not options["srv"]:
            for host, port in options["hosts"]:
                self.session.address(host, port)
        # TLS goes on between PyMongo and the name, whatever address is called.
        pool_shared._create_connection = self._connected
        with self.faults():
            self.client = MongoClient(self._uri(options), **options["more"])
            self.hello: Mapping[str, Any] = self.client.admin.command("hello")
        if not self._asked:
            raise SyncError(
                "This version of PyMongo connects to addresses that nobody has checked."
            )

    def close(self) -> None:
        """Close all connections."""
        if self.client is not None:
            self.client.close()
        pool_shared._create_connection = self._connect

    @property
    def has_log(self) -> bool:
        """Whether changes can be followed: in a replica set or a sharded cluster."""
        return "setName" in self.hello or self.hello.get("msg") == "isdbgrid"

    def collection(self, name: str) -> Documents:
        """A collection, of which only that is read which cannot be rolled back."""
        assert self.client is not None
        # A server without a log knows no majority.
        concern = ReadConcern("majority") if self.has_log else None
        return self.client[self.database].get_collection(
            name, codec_options=CODEC, read_concern=concern
        )

    def names(self) -> list[str]:
        """The collections that the user may read; views and time series are none."""
        assert self.client is not None
        with self.faults():
            listed = self.client[self.database].list_collections(
                nameOnly=True, authorizedCollections=True
            )
            found = [one["name"] for one in listed if one.get("type", "collection") == "collection"]
        return sorted(name for name in found if not name.startswith("system."))

    @contextmanager
    def reading(self, since: ClientSession | None = None) -> Iterator[ClientSession]:
        """A session that sees what `since` has seen, whichever member answers."""
        assert self.client is not None
        with self.client.start_session(causal_consistency=True) as session:
            if since is not None and since.operation_time is not None:
                if since.cluster_time is not None:
                    session.advance_cluster_time(since.cluster_time)
                session.advance_operation_time(since.operation_time)
            yield session

    def now(self, session: ClientSession) -> Timestamp:
        """The end of the log."""
        assert self.client is not None
        with self.faults():
            answer = self.client.admin.command("ping", session=session)
        time = answer.get("operationTime")
        if not isinstance(time, Timestamp):
            raise SyncError(
                "The server has no log: cdc needs a replica set (one member is enough) or a sharded "
                "cluster. Choose full_refresh or incremental."
            )
        return time

    @contextmanager
    def faults(self) -> Iterator[None]:
        """SyncError in place of PyMongo's errors."""
        try:
            yield
        except (PyMongoError, BSONError) as error:
            raise self.fault(error) from None

    def fault(self, error: Exception) -> SyncError:
        """What PyMongo means."""
        if isinstance(error, AutoReconnect) and self._refused is not None:
            return self._refused
        return mongo_fault(error)

    def _connected(self, address: tuple[str, int | None], options: Any) -> Any:
        """A socket to the checked address of a member, be it named by a person or by the cluster."""
        host, port = address
        self._asked = True
        if host.endswith(".sock") or "/" in host:
            raise OSError("Sockets of this machine are not called.")
        try:
            checked = self.session.address(host, port or 27017)
        except SyncError as error:
            self._refused = error
            raise OSError(str(error)) from None
        connected = self._connect((checked, port), options)
        self._refused = None
        return connected

    def _uri(self, options: Mapping[str, Any]) -> str:
        named = ",".join(
            host if options["srv"] else f"{f'[{host}]' if ':' in host else host}:{port}"
            for host, port in options["hosts"]
        )
        return f"mongodb{'+srv' if options['srv'] else ''}://{named}/"

    def _options(self) -> dict[str, Any]:
        srv = bool(self.config.get("srv"))
        hosts = self._hosts()
        if srv and len(hosts) != 1:
            raise SyncError("With srv there must be one host, the name of the cluster.")
        tunnel = (self.config.get("ssh_config") or {}).get("type", "no_tunnel")
        if tunnel != "no_tunnel":
            raise SyncError("SSH tunnels are not supported: give an address that is reachable.")
        if self.config.get("use_iam"):
            raise SyncError("Logins of IAM are not supported: give a user and a password.")
        more = {**self._parameters(), "appName": "isthmus", "connectTimeoutMS": CONNECT_MS}
        more.setdefault("serverSelectionTimeoutMS", CONNECT_MS)
        for setting, option in (
            ("replica_set", "replicaSet"),
            ("read_preference", "readPreference"),
        ):
            if self.config.get(setting):
                more[option] = str(self.config[setting])
        return {"srv": srv, "hosts": hosts, "more": more | self._login(more) | self._tls(more, srv)}

    def _hosts(self) -> list[tuple[str, int]]:
        given = self.config.get("hosts")
        if not isinstance(given, list) or not given:
            raise SyncError("The setting hosts is missing.")
        hosts = []
        for one in ",".join(map(str, given)).split(","):
            match = _HOST.fullmatch(one.strip())
            if (
                match is None
                or match[1].endswith(".sock")
                or not 0 < int(match[2] or 27017) < 65536
            ):
                raise SyncError(
                    "Each host must be a name or an address with a port, as in db.example:27017."
                )
            hosts.append((match[1].strip("[]"), int(match[2] or 27017)))
        return hosts

    def _parameters(self) -> dict[str, Any]:
        given = self.config.get("additional_params") or {}
        mechanism = str(given.get("authMechanism") or "DEFAULT")
        if mechanism not in MECHANISMS:
            raise SyncError(f"The mechanism of the login must be one of {', '.join(MECHANISMS)}.")
        return {name: str(given[name]) for name in _PARAMETERS if given.get(name)}

    def _login(self, more: Mapping[str, Any]) -> dict[str, Any]:
        user = str(self.config.get("username") or "")
        if not user:
            return {}
        source = str(self.config.get("authdb") or more.get("authSource") or "admin")
        login = {"username": user, "authSource": source}
        password = str(self.config.get("password") or "")
        return login | ({"password": password} if password else {})

    def _tls(self, more: Mapping[str, Any], srv: bool) -> dict[str, Any]:
        ssl = self.config.get("ssl") or {}
        mode = str(ssl.get("mode") or "disable")
        if mode not in SSL_MODES:
            raise SyncError(f"The SSL mode must be one of {', '.join(SSL_MODES)}.")
        if mode == "disable":
            # A cluster that is found by DNS has TLS; a parameter may ask for more than the form.
            asked = srv or str(more.get("tls") or "").lower() == "true"
            return {"tls": True, "tlsDisableOCSPEndpointCheck": True} if asked else {"tls": False}
        files = pem_files(self.session, "mongodb", ssl, _CERTIFICATES)
        options: dict[str, Any] = {"tls": True}
        if mode == "require":
            options["tlsAllowInvalidCertificates"] = True
        elif "server_ca" not in files:
            raise SyncError("The setting ssl.server_ca is missing.")
        else:
            options["tlsCAFile"] = str(files["server_ca"])
            options["tlsAllowInvalidHostnames"] = mode == "verify-ca"
            # A certificate must not say whom we call.
            options["tlsDisableOCSPEndpointCheck"] = True
        if "client_cert" in files:
            path = self.session.scratch / "mongodb_client.pem"
            path.touch(mode=0o600)
            parts = [
                files[name].read_text() for name in ("client_cert", "client_key") if name in files
            ]
            path.write_text("\n".join(parts))
            options["tlsCertificateKeyFile"] = str(path)
        return options

    def _text(self, name: str) -> str:
        value = self.config.get(name)
        if not isinstance(value, str) or not value:
            raise SyncError(f"The setting {name} is missing.")
        return value


def decoded(raw: Any) -> list[dict[str, Any]]:
    """The documents of a raw batch."""
    return bson.decode_all(raw, CODEC)


def mongo_fault(error: Exception) -> SyncError:
    """What PyMongo means."""
    text = str(error)
    if isinstance(error, OperationFailure) and not isinstance(error, CursorNotFound):
        return _said(error)
    if "certificate verify failed" in text.lower() or "hostname mismatch" in text.lower():
        return SyncError(
            "The server's certificate is not signed by the given authority, or for another name."
        )
    if isinstance(error, (ConfigurationError, InvalidURI)):
        return SyncError(f"The settings do not suffice for a connection: {text[:200]}")
    if isinstance(error, (AutoReconnect, CursorNotFound)):
        return SyncError("The server cannot be reached, or went away.", retry=True)
    return SyncError(f"Reading failed: {text[:300]}")


def _said(error: OperationFailure) -> SyncError:
    """What the server means."""
    details = error.details or {}
    said = str(details.get("errmsg") or "")[:300]
    if error.code in (18, 8000):
        return SyncError("The server refuses the user name or the password.")
    if error.code == 13:
        return SyncError(f"The user lacks a right: {said[:200]}")
    if error.code in _LOST:
        return SyncError(
            "The server's log no longer holds what follows the last sync: its oplog is too small, or "
            "was made anew. Clear the stream to load it anew."
        )
    if error.code in (260, 50811):
        return SyncError(
            "The server does not know the position of the last sync; it may be another server. "
            "Clear the stream to load it anew."
        )
    if error.code == 40573:
        return SyncError("The server has no log: cdc needs a replica set or a sharded cluster.")
    if error.code == 10334:
        return SyncError(
            "A change is larger than the 16 MB that the server can tell. Clear the stream."
        )
    again = error.code in _AWAY or error.has_error_label("RetryableError")
    return SyncError(f"The database says: {said}", retry=again)
