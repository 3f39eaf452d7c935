"""Connectors by type: the built-in ones, and those of installed packages."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from workers.connectors.base import Config, Destination, Session, Source, SyncError

SOURCES = {
    "file": "workers.connectors.files:on_disk",
    "mongodb": "workers.connectors.mongodb_source:MongoSource",
    "mysql": "workers.connectors.mysql_source:MysqlSource",
    "postgres": "workers.connectors.postgres_source:PostgresSource",
    "s3": "workers.connectors.files:on_s3",
}
DESTINATIONS = {
    "iceberg": "workers.connectors.iceberg:IcebergDestination",
    "parquet": "workers.connectors.parquet:ParquetDestination",
    "postgres": "workers.connectors.postgres_destination:PostgresDestination",
}


def source(type_: str, session: Session, config: Config) -> Source:
    """A source of that type; SyncError where nobody brings it."""
    made: Source = _find("source", SOURCES, type_)(session, config)
    return made


def destination(type_: str, session: Session, config: Config) -> Destination:
    """A destination of that type; SyncError where nobody brings it."""
    made: Destination = _find("destination", DESTINATIONS, type_)(session, config)
    return made


def types(kind: str) -> list[str]:
    """What can run: `source` or `destination`."""
    built_in = SOURCES if kind == "source" else DESTINATIONS
    return sorted({*built_in, *(point.name for point in entry_points(group=f"isthmus.{kind}s"))})


def _find(kind: str, built_in: dict[str, str], type_: str) -> Any:
    name = type_.lower()
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=f"isthmus.{kind}s", name=name):
        return point.load()
    raise SyncError(f"This worker has no {kind} of type {type_}.")
