"""Column helpers that every domain's tables share."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field


def pk() -> Any:
    """A bigint identity primary key."""
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def big(
    target: str | None = None,
    *,
    null: bool = False,
    index: bool = False,
    ondelete: str | None = None,
) -> Any:
    """A bigint; a foreign key where `target` is given."""
    keys = [] if target is None else [ForeignKey(target, ondelete=ondelete)]
    column: Column[int] = Column(BigInteger, *keys, nullable=null, index=index)
    return Field(default=None, sa_column=column)


def string(default: str | None = None, *, null: bool = False, unique: bool = False) -> Any:
    """Text without a length of its own."""
    server = None if default is None else {"server_default": text(f"'{default}'")}
    return Field(
        default=default,
        sa_type=Text,
        nullable=null,
        unique=unique,
        sa_column_kwargs=server or {},
    )


def strings() -> Any:
    """A list of texts, empty by default."""
    return Field(
        default_factory=list,
        sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")),
    )


def json(default: str | None = None) -> Any:
    """JSONB; nullable unless a default such as `{}` is given."""
    return Field(
        default=None,
        sa_column=Column(
            JSONB,
            nullable=default is None,
            server_default=None if default is None else text(f"'{default}'::jsonb"),
        ),
    )


def number(default: int | None = None, *, null: bool = False) -> Any:
    """A 32-bit integer."""
    kwargs = {} if default is None else {"server_default": text(str(default))}
    return Field(default=default, sa_type=Integer, nullable=null, sa_column_kwargs=kwargs)


def flag(default: bool = False) -> Any:
    """A boolean that is never null."""
    return Field(default=default, sa_column_kwargs={"server_default": text(str(default).lower())})


def moment(*, null: bool = True) -> Any:
    """A point in time with its zone."""
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=null)  # type: ignore[call-overload]


def now_by_default() -> Any:
    """A point in time that PostgreSQL fills in."""
    return Field(
        default=None,
        sa_type=DateTime(timezone=True),  # type: ignore[call-overload]
        nullable=False,
        sa_column_kwargs={"server_default": func.now()},
    )


Moment = datetime | None


def table_of(model: Any) -> Table:
    """The SQL table behind a model, for Core statements."""
    table = model.__table__
    assert isinstance(table, Table)
    return table
