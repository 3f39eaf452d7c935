"""The constants of `mage_ai.io.base`."""

from enum import StrEnum


class ExportWritePolicy(StrEnum):
    """What happens to a table that is there already."""

    APPEND = "append"
    FAIL = "fail"
    REPLACE = "replace"


class DataSource(StrEnum):
    """Where data comes from, of what is offered here."""

    DUCKDB = "duckdb"
    FILE = "file"
    POSTGRES = "postgres"


class FileFormat(StrEnum):
    """Formats of files."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class Names:
    """What the module holds."""

    ExportWritePolicy = ExportWritePolicy
    DataSource = DataSource
    FileFormat = FileFormat
    QUERY_ROW_LIMIT = 10_000_000
