"""Projects."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Column, Date, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.tables import (
    Moment,
    big,
    flag,
    json,
    moment,
    now_by_default,
    number,
    pk,
    string,
    table_of,
)


class Project(SQLModel, table=True):
    """What a team works in; everything else belongs to one.

    `folder` is the name that blocks import its files under; its uuid where it has none.
    `webhook_alert_url` is told of syncs that fail; empty for nobody. One that is not private shows
    its name and description to every user. `data` is its makers' own.
    """

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'inactive')", name="ck_projects_status"),
    )

    id: int | None = pk()
    uuid: str = string(unique=True)
    name: str = string()
    description: str | None = string(null=True)
    folder: str | None = string(null=True)
    webhook_alert_url: str = string("")
    is_private: bool = flag(True)
    is_test: bool = flag()
    status: str = string("active")
    start_date: date | None = Field(default=None, sa_column=Column(Date, nullable=True))
    end_date: date | None = Field(default=None, sa_column=Column(Date, nullable=True))
    data: dict[str, Any] = json("{}")
    client_id: str | None = string(null=True, unique=True)
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    updated_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class JoinRequest(SQLModel, table=True):
    """A user's wish to become a member; its status is pending, accepted or rejected."""

    __tablename__ = "join_requests"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'accepted', 'rejected')", name="ck_join_requests_status"
        ),
        Index(
            "uq_join_requests_pending",
            "project_id",
            "user_id",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_join_requests_user_id", "user_id"),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    user_id: int = big("users.id", ondelete="CASCADE")
    reason: str = string("")
    status: str = string("pending")
    answered_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    answered_at: Moment = moment()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


KINDS = ("lead_organization", "international_partner", "national_partner", "donor", "government")
_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)


class ProjectOrganization(SQLModel, table=True):
    """What an organisation is to a project, at its place among the others."""

    __tablename__ = "project_organizations"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="ck_project_organizations_kind"),
        UniqueConstraint("project_id", "organization_id", "kind"),
        Index("ix_project_organizations_organization_id", "organization_id"),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    organization_id: int = big("organizations.id", ondelete="CASCADE")
    kind: str = string()
    position: int = number(0)


projects = table_of(Project)
project_organizations = table_of(ProjectOrganization)
join_requests = table_of(JoinRequest)
