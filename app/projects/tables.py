"""Projects."""

from sqlmodel import SQLModel

from app.core.tables import (
    Moment,
    big,
    now_by_default,
    number,
    pk,
    string,
    table_of,
)


class Project(SQLModel, table=True):
    """What a team works in; everything else belongs to one.

    `folder` is the name that blocks import its files under; its uuid where it has none.
    `webhook_alert_url` is told of syncs that fail; empty for nobody.
    """

    __tablename__ = "projects"

    id: int | None = pk()
    uuid: str = string(unique=True)
    name: str = string()
    description: str | None = string(null=True)
    folder: str | None = string(null=True)
    webhook_alert_url: str = string("")
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


projects = table_of(Project)
