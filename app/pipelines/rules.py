"""Who may read pipelines, blocks, triggers and their runs."""

from typing import Any

from sqlalchemy import ColumnElement, case, null, text

from app.core.rules import VIEWER


def may_read(row: Any) -> ColumnElement[bool]:
    """Members whose role lets them read pipelines."""
    return VIEWER.holds("pipeline.read", row.project_id)


def token_if_runner(row: Any) -> ColumnElement[Any]:
    """A trigger's token is a capability: only who may start runs sees it."""
    return case((VIEWER.holds("pipeline.run", row.project_id), row.token), else_=null())


def notifications_if_writer(row: Any) -> ColumnElement[Any]:
    """Webhook addresses and mail passwords are for those who may change them; others see `{}`."""
    may_write = VIEWER.holds("pipeline.write", row.project_id)
    return case((may_write, row.notification_config), else_=text("'{}'::jsonb"))
