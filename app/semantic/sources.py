"""What the data sources that a model names are: the built-in database, sources, destinations."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.errors import Invalid
from app.semantic import reads

BUILT_IN = ("default", "warehouse")
DIALECTS: Mapping[tuple[str, str], str] = {
    ("source", "postgres"): "postgres",
    ("source", "mysql"): "duckdb",
    ("source", "trino"): "trino",
    ("destination", "postgres"): "postgres",
    ("destination", "parquet"): "duckdb",
    ("destination", "iceberg"): "duckdb",
}
"""How SQL for each is written. Its text is run by the engine of that name, with the settings as stored."""


@dataclass(frozen=True)
class DataSource:
    """One of them; `place` tells a worker where its settings are, and changes with these."""

    name: str
    place: str
    dialect: str


DataSources = Mapping[str, DataSource]


async def resolve(project_id: int) -> DataSources:
    """The data sources of a project by name.

    A source goes before a destination of the same name, and nothing goes before the built-in one.
    """
    found = {name: DataSource(name, "warehouse", "postgres") for name in BUILT_IN}
    for row in await reads.data_sources(project_id):
        dialect = DIALECTS.get((row["kind"], row["type"]))
        if dialect is not None and row["name"] not in found:
            place = f"{row['kind']}:{row['id']}:{row['version']}"
            found[row["name"]] = DataSource(row["name"], place, dialect)
    return found


def dialects(sources: DataSources) -> dict[str, str]:
    """How SQL for each is written, by name."""
    return {name: one.dialect for name, one in sources.items()}


def unknown(name: str) -> Invalid:
    """The error for a data source that cannot be asked."""
    known = ", ".join(sorted({type_ for _, type_ in DIALECTS}))
    return Invalid(
        f"There is no data source {name!r} in this project. It is the name of a source or a "
        f"destination of type {known}, or `default` for the built-in database.",
        "DATA_SOURCE_UNKNOWN",
    )
