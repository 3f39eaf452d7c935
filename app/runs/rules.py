"""Who may read runs, steps, logs and events."""

from typing import Any

from sqlalchemy import ColumnElement

from app.core.rules import VIEWER


def may_read(row: Any) -> ColumnElement[bool]:
    """Members whose role lets them read pipelines; every kind of run belongs to a project."""
    return VIEWER.holds("pipeline.read", row.project_id)
