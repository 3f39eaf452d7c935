"""A small REST catalog over a SQL one: what Iceberg's protocol needs for tables, with a token."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
)
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableRequest

STATUS = {
    NoSuchTableError: 404,
    NamespaceAlreadyExistsError: 409,
    CommitFailedException: 409,
}


class RestCatalogServer:
    """Serves a SQL catalog; `port` after the start."""

    def __init__(self, catalog: SqlCatalog, token: str) -> None:
        handler = type("_Bound", (_Handler,), {"catalog": catalog, "token": token})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    catalog: SqlCatalog
    token: str

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        given = json.loads(self.rfile.read(size)) if size else {}
        path = self.path.partition("?")[0].removeprefix("/v1/").split("/")
        if self.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(401, _error(401, "NotAuthorizedException", "no"))
            return
        try:
            self._send(200, self._do(self.command, path, given))
        except tuple(STATUS) as error:
            status = STATUS[type(error)]
            self._send(status, _error(status, type(error).__name__, str(error)))

    do_GET = do_POST = do_DELETE = do_HEAD = _answer

    def _do(self, method: str, path: list[str], given: dict[str, Any]) -> Any:
        match [method, *path]:
            case ["GET", "config"]:
                return {"defaults": {}, "overrides": {}}
            case ["GET", "namespaces"]:
                return {"namespaces": [list(one) for one in self.catalog.list_namespaces()]}
            case ["GET", "namespaces", namespace, "tables"]:
                found = self.catalog.list_tables(namespace)
                named = [{"namespace": list(one[:-1]), "name": one[-1]} for one in found]
                return {"identifiers": named}
            case ["POST", "namespaces"]:
                self.catalog.create_namespace(tuple(given["namespace"]))
                return {"namespace": given["namespace"], "properties": {}}
            case ["DELETE", "namespaces", name]:
                self.catalog.drop_namespace(name)
                return {}
            case ["POST", "namespaces", namespace, "tables"]:
                assert given["stage-create"]
                table = self.catalog._create_staged_table(
                    (namespace, given["name"]),
                    Schema.model_validate(given["schema"]),
                    partition_spec=PartitionSpec.model_validate(given["partition-spec"]),
                    properties=given.get("properties") or {},
                )
                return _loaded(table)
            case ["GET" | "HEAD", "namespaces", namespace, "tables", name]:
                return _loaded(self.catalog.load_table((namespace, name)))
            case ["POST", "namespaces", namespace, "tables", name]:
                request = CommitTableRequest.model_validate(
                    {"identifier": {"namespace": [namespace], "name": name}, **given}
                )
                made = self.catalog.commit_table(
                    SimpleNamespace(name=lambda: (namespace, name)),  # type: ignore[arg-type]
                    request.requirements,
                    request.updates,
                )
                return json.loads(made.model_dump_json(by_alias=True))
            case ["DELETE", "namespaces", namespace, "tables", name]:
                self.catalog.purge_table((namespace, name))
                return {}
        raise AssertionError((method, path))

    def _send(self, status: int, said: Any) -> None:
        body = b"" if self.command == "HEAD" else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def _loaded(table: Any) -> dict[str, Any]:
    return {
        "metadata-location": table.metadata_location,
        "metadata": json.loads(table.metadata.model_dump_json(by_alias=True)),
        "config": {},
    }


def _error(code: int, type_: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "type": type_, "message": message}}
