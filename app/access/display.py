"""What people call a user, in SQL."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Text, func, select

from app.access.tables import users


def display_name(user: Any) -> ColumnElement[str]:
    """First and last name, else the username: of an e-mail address what is before the @.

    Names are told to strangers, addresses are not.
    """
    return func.coalesce(
        func.nullif(func.btrim(func.concat_ws(" ", user.first_name, user.last_name)), ""),
        func.split_part(user.username, "@", 1, type_=Text()),
    )


def display_name_of(column_name: str) -> Callable[[Any], ColumnElement[str]]:
    """The name of the user whom a column of the row names, also of one that the caller may not see."""

    def make(c: Any) -> ColumnElement[str]:
        user = users.alias()
        named = select(display_name(user.c)).where(user.c.id == getattr(c, column_name))
        return named.scalar_subquery()

    return make
