"""Who may read models and queries, and who is asking for what."""

from typing import Any

from sqlalchemy import ColumnElement

from app.core.rules import VIEWER


def may_read(row: Any) -> ColumnElement[bool]:
    """A model's files and what was asked are for those who may read pipelines.

    To ask a model needs another permission, and does not show them.
    """
    return VIEWER.holds("pipeline.read", row.project_id)
