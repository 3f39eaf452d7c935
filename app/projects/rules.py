"""Who may read projects."""

from typing import Any

from sqlalchemy import ColumnElement

from app.core.rules import VIEWER


def may_read_project(row: Any) -> ColumnElement[bool]:
    """Its members."""
    return VIEWER.holds("project.read", row.id)
