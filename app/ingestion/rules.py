"""Who may read connectors, sources, destinations, jobs and tasks."""

from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, exists, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB

from app.core.rules import VIEWER
from app.ingestion.tables import sync_jobs, sync_tasks

WEBHOOK_URL = "webhook_url"
"""In a job's further settings: whom it tells of its syncs, beside the project's own address."""


def may_read(row: Any) -> ColumnElement[bool]:
    """Members whose role lets them read pipelines; what is deleted is gone."""
    return and_(VIEWER.holds("pipeline.read", row.project_id), row.deleted_at.is_(None))


def may_read_stream(row: Any) -> ColumnElement[bool]:
    """Streams of jobs that are not deleted."""
    return and_(VIEWER.holds("pipeline.read", row.project_id), _is_live(row.job_id))


def may_read_task(run: Any) -> ColumnElement[bool]:
    """Tasks; those of a deleted job only for who may change the project."""
    task = sync_tasks.alias()
    live = exists(select(literal(1)).where(task.c.run_id == run.id, _is_live(task.c.job_id)))
    admin = VIEWER.holds("project.write", run.project_id)
    return and_(VIEWER.holds("pipeline.read", run.project_id), or_(live, admin))


def may_read_connector(_: Any) -> ColumnElement[bool]:
    """Connectors are the same for everybody; the root field asks for a known caller."""
    return true()


def webhook_if_writer(row: Any) -> ColumnElement[str]:
    """An address that is a capability is for those who may change it; others see an empty one."""
    may_write = VIEWER.holds("pipeline.write", row.id)
    return case((may_write, row.webhook_alert_url), else_=literal(""))


def advanced_if_writer(row: Any) -> ColumnElement[Any]:
    """A job's further settings, without the address of its webhook for who may not change it."""
    may_write = VIEWER.holds("pipeline.write", row.project_id)
    shown = row.advanced_settings.op("-", return_type=JSONB)(literal(WEBHOOK_URL, Text))
    return case((may_write, row.advanced_settings), else_=shown)


def _is_live(job_id: Any) -> ColumnElement[bool]:
    job = sync_jobs.alias()
    return exists(select(literal(1)).where(job.c.id == job_id, job.c.deleted_at.is_(None)))
