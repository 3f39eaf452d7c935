"""The verb of a project's settings."""

from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import update

from app.core import db
from app.core.errors import Invalid
from app.core.rules import Subject
from app.projects.actions import lock_project
from app.projects.tables import projects

URL_LENGTH = 2000


async def update_settings(subject: Subject, project_id: int, webhook_alert_url: str | None) -> int:
    """Say where starts and ends of syncs are told of; an empty address: nowhere."""
    url = (webhook_alert_url or "").strip()
    check_url(url, "webhookAlertUrl")
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        changed = update(projects).where(projects.c.id == project_id)
        await tx.execute(changed.values(webhook_alert_url=url))
        await tx.audit(
            "project_settings.update",
            "ProjectSettings",
            project_id,
            project_id=project_id,
            fields=["webhook_alert_url"],
        )
    return project_id


def check_url(url: Any, name: str) -> None:
    """Refuse what is no address of a webhook; an empty text is none."""
    if not url:
        return
    try:
        if not isinstance(url, str):
            raise ValueError
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        right = False
    if not right or len(url) > URL_LENGTH or not url.isprintable():
        raise Invalid("The address must be an http or https URL.", path=(name,))
