"""MySQL's types: how a column is asked for, and in which type of DuckDB it arrives."""

import re
from dataclasses import dataclass

from workers.connectors.base import quote
from workers.connectors.mysql import my_quote

INTEGERS = {
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "mediumint": "INTEGER",
    "int": "INTEGER",
    "bigint": "BIGINT",
}
_TYPES = {
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "year": "INTEGER",
}
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_GEOMETRY = ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring")
_MORE_GEOMETRY = ("multipolygon", "geometrycollection", "geomcollection")
_NO_CURSOR = ("float", "json", "set", "bit", *_BYTES, *_GEOMETRY, *_MORE_GEOMETRY)
DATES = ("date", "datetime", "timestamp")


@dataclass(frozen=True)
class MyColumn:
    """A column as `information_schema` has it."""

    name: str
    type: str
    """The bare type, such as `int`."""
    full: str
    """With all that belongs to it, such as `int(10) unsigned`."""
    precision: int
    scale: int
    nullable: bool
    virtual: bool = False
    """Whether it is computed when it is read."""

    @property
    def is_unsigned(self) -> bool:
        """Whether it has no negative values."""
        return "unsigned" in self.full or "zerofill" in self.full

    @property
    def is_number(self) -> bool:
        """Whether its values are written without quotes."""
        return self.type in INTEGERS or self.type in ("decimal", "float", "double", "year", "bit")

    @property
    def is_ordered(self) -> bool:
        """Whether it can be a cursor: a value finds its row again."""
        return self.type not in _NO_CURSOR

    @property
    def is_bytes(self) -> bool:
        """Whether its values are no text."""
        return self.type in _BYTES or self.type in _GEOMETRY or self.type in _MORE_GEOMETRY

    @property
    def duck_type(self) -> str:
        """The DuckDB type in which its values arrive."""
        if self.type in INTEGERS:
            return ("U" if self.is_unsigned else "") + INTEGERS[self.type]
        if self.type == "decimal":
            fits = self.precision <= 38
            return f"DECIMAL({self.precision},{self.scale})" if fits else "VARCHAR"
        if self.type == "bit":
            return "BOOLEAN" if self.precision == 1 else "UBIGINT"
        if self.is_bytes:
            return "BLOB"
        return _TYPES.get(self.type, "VARCHAR")

    def selected(self) -> str:
        """SQL of MySQL for its values."""
        name = my_quote(self.name)
        if self.type == "bit":
            return f"{name} + 0 AS {name}"
        if self.is_bytes or self.type in INTEGERS or self.type in _TYPES:
            return name
        if self.type in ("decimal", "time", "uuid", "inet4", "inet6"):
            return f"CAST({name} AS CHAR) AS {name}"
        return f"CONVERT({name} USING utf8mb4) AS {name}"

    def received(self) -> str:
        """SQL of DuckDB for what `selected` has sent."""
        name = quote(self.name)
        if self.type == "timestamp":
            return f"CAST({name} AS TIMESTAMP) AT TIME ZONE 'UTC' AS {name}"
        return f"CAST({name} AS {self.duck_type}) AS {name}"


def members(full: str) -> list[str]:
    """The values of an enum or a set, as its type lists them."""
    found = re.findall(r"'((?:[^']|'')*)'", full)
    return [text.replace("''", "'") for text in found]
