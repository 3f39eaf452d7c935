"""Who may read runs, steps, logs and events."""

from typing import Any

from sqlalchemy import ColumnElement, exists, literal, select

from app.core.rules import VIEWER
from app.projects.tables import projects


def may_read(row: Any) -> ColumnElement[bool]:
    """Members whose role lets them read pipelines; every kind of run belongs to a project."""
    return VIEWER.holds("pipeline.read", row.project_id)


def may_read_worker(_: Any) -> ColumnElement[bool]:
    """Workers serve all projects: whoever may read runs of any sees them."""
    return exists(select(literal(1)).where(VIEWER.holds("pipeline.read", projects.c.id)))
