"""Where the SQL of the data sources differs."""

from datetime import datetime
from typing import Literal

from sqlglot import exp

Dialect = Literal["postgres", "duckdb", "trino"]
DIALECTS: tuple[Dialect, ...] = ("postgres", "duckdb", "trino")
_START = exp.column("date_from")
_UNITS = {"week": (7, "DAY"), "quarter": (3, "MONTH")}
_TYPES = {
    name: exp.DataType.build(name, dialect="trino")
    for name in ("timestamp(6)", "timestamp(6) with time zone", "decimal(38, 10)", "boolean")
}
_TIMESTAMPTZ = exp.DataType.build("timestamptz", dialect="postgres")
_TIMESTAMP = exp.DataType.build("timestamp", dialect="postgres")
_TEXT = exp.DataType.build("text", dialect="postgres")


def text(value: exp.Expr) -> exp.Expr:
    """A value as text."""
    return _cast(value, _TEXT)


def operand(dialect: Dialect, type: str, value: exp.Expr) -> exp.Expr:
    """A bound text that is compared with a member of this type.

    PostgreSQL and DuckDB read it as the type of the other side; Trino has to be told.
    """
    if dialect != "trino" or type not in ("number", "boolean", "time"):
        return value
    if type == "time":
        return clock(dialect, value)
    return _cast(value, _TYPES["boolean" if type == "boolean" else "decimal(38, 10)"])


def instant(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    """A bound text in UTC as a moment."""
    return _of_iso(value) if dialect == "trino" else _cast(value, _TIMESTAMPTZ)


def clock(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    """A bound text as a time on a clock, without a zone."""
    if dialect == "trino":
        return _cast(_of_iso(value), _TYPES["timestamp(6)"])
    return _cast(value, _TIMESTAMP)


def local(dialect: Dialect, value: exp.Expr, zone: str) -> exp.Expr:
    """A moment as the time that the clocks of a zone show. A column without a zone is in UTC."""
    name = exp.Literal.string(zone)
    if dialect == "trino":
        moment = _cast(value, _TYPES["timestamp(6) with time zone"])
        return _cast(exp.AtTimeZone(this=moment, zone=name), _TYPES["timestamp(6)"])
    return exp.Paren(this=exp.AtTimeZone(this=_cast(value, _TIMESTAMPTZ), zone=name))


def bucket(granularity: str, value: exp.Expr) -> exp.Expr:
    """The start of the bucket in which a clock's time lies."""
    return exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(granularity), value])


def interval(count: int, unit: str) -> exp.Expr:
    """So many units of time."""
    factor, name = _UNITS.get(unit, (1, unit.upper()))
    return exp.Interval(this=exp.Literal.string(str(count * factor)), unit=exp.var(name))


def series(dialect: Dialect, first: datetime, last: datetime, granularity: str) -> exp.Select:
    """All buckets from one start to another: `date_from` and `date_to`, a millisecond less."""
    ends = [clock(dialect, exp.Literal.string(one.isoformat())) for one in (first, last)]
    step = interval(1, granularity)
    least = exp.Interval(this=exp.Literal.string("0.001"), unit=exp.var("SECOND"))
    end = exp.Sub(this=exp.Add(this=_START.copy(), expression=step), expression=least)
    starts = _starts(dialect, [*ends, step.copy()])
    made = exp.Select().from_(starts.subquery("starts", copy=False), copy=False)
    return made.select(_START.copy(), exp.alias_(end, "date_to"), copy=False)


def _starts(dialect: Dialect, arguments: list[exp.Expr]) -> exp.Select:
    if dialect == "trino":
        made = exp.Anonymous(this="sequence", expressions=arguments)
        columns = [exp.to_identifier("date_from")]
        named = exp.TableAlias(this=exp.to_identifier("s"), columns=columns)
        rows = exp.Unnest(expressions=[made], alias=named)
        return exp.Select().select(_START.copy(), copy=False).from_(rows, copy=False)
    made = exp.Anonymous(this="generate_series", expressions=arguments)
    if dialect == "duckdb":
        made = exp.Anonymous(this="unnest", expressions=[made])
    return exp.Select().select(exp.alias_(made, "date_from"), copy=False)


def same(dialect: Dialect, one: exp.Expr, other: exp.Expr) -> exp.Expr:
    """Whether two values are equal or both NULL.

    Only DuckDB can hash by that alone; the others are given an equality of texts to hash by.
    """
    equal = exp.NullSafeEQ(this=one, expression=other)
    if dialect == "duckdb":
        return equal
    empty = exp.Literal.string("")
    texts = [
        exp.Coalesce(this=text(each.copy()), expressions=[empty.copy()]) for each in (one, other)
    ]
    return exp.And(this=exp.EQ(this=texts[0], expression=texts[1]), expression=equal)


def masked(dialect: Dialect, func: str, value: exp.Expr) -> exp.Expr:
    """What stands in place of a value that the caller may not see; NULL stays NULL."""
    if func == "md5":
        return _md5(dialect, text(value))
    told = exp.Is(this=value, expression=exp.Null()).not_(copy=False)
    return exp.Case().when(told, exp.Literal.string("--redact--"), copy=False)


def _md5(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    if dialect != "trino":
        return exp.Anonymous(this="md5", expressions=[value])
    for name in ("to_utf8", "md5", "to_hex", "lower"):
        value = exp.Anonymous(this=name, expressions=[value])
    return value


def _of_iso(value: exp.Expr) -> exp.Expr:
    """A text as Trino reads moments; its own casts know no `T` between day and time."""
    return exp.Anonymous(this="from_iso8601_timestamp", expressions=[value])


def _cast(value: exp.Expr, type: exp.DataType) -> exp.Expr:
    return exp.Cast(this=value, to=type.copy())
