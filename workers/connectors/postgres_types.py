"""PostgreSQL's types: what arrives from a scan, and what must be asked for as text."""

import re
from dataclasses import dataclass

from workers.connectors.base import quote

_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TYPES = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "oid": "UINTEGER",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "bytea": "BLOB",
    "date": "DATE",
    "uuid": "UUID",
    "point": "STRUCT(x DOUBLE, y DOUBLE)",
}
_TIMES = {
    "timestamp": "TIMESTAMP",
    "time": "TIME",
    "interval": "INTERVAL",
}
_UNORDERED = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")


@dataclass(frozen=True)
class PgColumn:
    """A column as the catalogue has it; `type` is the base type where it is of a domain."""

    name: str
    type: str
    kind: str
    """pg_type.typtype: b(ase), e(num), c(omposite), r(ange), m(ultirange), p(seudo)."""
    dimensions: int
    """Of an array, as declared; 0 for what is none."""
    nullable: bool
    generated: bool = False
    """Whether the server computes it: a log does not hold it."""

    @property
    def as_text(self) -> bool:
        """Whether a scan would change its values without a word: they are asked for as text."""
        if self.kind == "c":
            return True
        return self.type.startswith("numeric") and (self.dimensions > 0 or not _decimal(self.type))

    @property
    def can_be_nan(self) -> bool:
        """Whether NaN may be among its values without a place in the type that it is read as."""
        return self.type.startswith("numeric") and not self.as_text

    @property
    def is_ordered(self) -> bool:
        """Whether it can be a cursor."""
        return self.type not in _UNORDERED and not self.dimensions

    @property
    def _as_json(self) -> bool:
        """Whether a query, which does not tell of dimensions, has to send it as JSON."""
        return self.dimensions > 1 and duck_type(self) != "VARCHAR"

    def selected(self, *, nan: bool) -> str:
        """SQL of PostgreSQL for its values, NaN as null if so said."""
        name = quote(self.name)
        if self.as_text or self.kind == "e":
            return f"{name}::text AS {name}"
        if self._as_json:
            return f"to_json({name})::text AS {name}"
        if self.type == "point":
            pair = f"json_build_object('x', {name}[0], 'y', {name}[1])::text"
            return f"CASE WHEN {name} IS NOT NULL THEN {pair} END AS {name}"
        return f"nullif({name}, 'NaN') AS {name}" if nan else name

    def received(self) -> str:
        """SQL of DuckDB for what `selected` has sent."""
        name = quote(self.name)
        sent = f"CAST({name} AS JSON)" if self._as_json or self.type == "point" else name
        return f"CAST({sent} AS {duck_type(self)}) AS {name}"

    def scanned(self) -> str:
        """SQL of DuckDB for what a scan has read; the same type as of what was asked for."""
        return f"CAST({quote(self.name)} AS {duck_type(self)}) AS {quote(self.name)}"


def duck_type(column: PgColumn) -> str:
    """The DuckDB type in which a column's values arrive."""
    if column.dimensions:
        element = column.type.removesuffix("[]")
        inner = _simple(element)
        return inner + "[]" * column.dimensions if inner else "VARCHAR"
    if column.type.startswith("numeric"):
        return _decimal(column.type) or "VARCHAR"
    return _simple(column.type) or "VARCHAR"


def _simple(type_: str) -> str | None:
    if type_ in _TYPES:
        return _TYPES[type_]
    if type_.startswith("character varying"):
        return "VARCHAR"
    word = re.split(r"[ (]", type_)[0]
    if word not in _TIMES:
        return None
    return _TIMES[word] + (" WITH TIME ZONE" if "with time zone" in type_ else "")


def _decimal(type_: str) -> str | None:
    """DECIMAL(p,s) for what DuckDB holds exactly."""
    match = _NUMERIC.fullmatch(type_)
    if match is None:
        return None
    precision, scale = int(match[1]), int(match[2])
    return f"DECIMAL({precision},{scale})" if 0 <= scale <= precision <= 38 else None
