"""Organisations, attachments, lead groups and leads."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlmodel import Field, SQLModel

from app.core.tables import (
    Moment,
    big,
    flag,
    json,
    now_by_default,
    number,
    pk,
    string,
    table_of,
)

STATUSES = ("not_tagged", "in_progress", "tagged")
PRIORITIES = ("low", "medium", "high")
CONFIDENTIALITIES = ("unprotected", "restricted", "confidential")
SOURCE_TYPES = (
    "text",
    "disk",
    "website",
    "dropbox",
    "google_drive",
    "rss",
    "emm",
    "api",
    "unknown",
)
SEARCHED = (
    "setweight(to_tsvector('simple', title), 'A') || "
    "setweight(to_tsvector('simple', source_raw || ' ' || url), 'B') || "
    "setweight(to_tsvector('simple', left(text, 100000)), 'D')"
)
"""What full-text search looks through; of a text so much as fits into a tsvector, whatever its words."""


def _words(column: str, words: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ck_leads_{column}")


def _uuid() -> Any:
    return Field(
        default=None,
        sa_column=Column(
            PgUUID(as_uuid=True),
            nullable=False,
            unique=True,
            server_default=text("gen_random_uuid()"),
        ),
    )


def _client_id() -> Any:
    """A caller's own key, unique among all rows of the table."""
    return Field(default=None, sa_column=Column(Text, nullable=True, unique=True))


def _maker() -> Any:
    return big("users.id", null=True, ondelete="SET NULL")


class OrganizationType(SQLModel, table=True):
    """A kind of organisation."""

    __tablename__ = "organization_types"

    id: int | None = pk()
    title: str = string(unique=True)
    short_name: str = string("")
    description: str = string("")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()


class Organization(SQLModel, table=True):
    """Who publishes: the source or an author of leads. The same for all projects."""

    __tablename__ = "organizations"
    __table_args__ = (Index("ix_organizations_title", "title"),)

    id: int | None = pk()
    title: str = string()
    short_name: str = string("")
    long_name: str = string("")
    url: str = string("")
    verified: bool = flag()
    organization_type_id: int | None = big("organization_types.id", null=True, index=True)
    client_id: str | None = _client_id()
    created_by: int | None = _maker()
    updated_by: int | None = _maker()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class Attachment(SQLModel, table=True):
    """A file that somebody sent. Its bytes lie in the storage, below `attachments/`."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_created_by", "created_by", text("id DESC")),
        Index("ix_attachments_md5", "md5"),
    )

    id: int | None = pk()
    uuid: UUID = _uuid()
    title: str = string()
    mime_type: str = string()
    bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    md5: str = string()
    is_public: bool = flag()
    client_id: str | None = _client_id()
    created_by: int | None = _maker()
    updated_by: int | None = _maker()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class LeadGroup(SQLModel, table=True):
    """Leads of a project that belong together."""

    __tablename__ = "lead_groups"
    __table_args__ = (Index("ix_lead_groups_project", "project_id", text("id DESC")),)

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    title: str = string()
    client_id: str | None = _client_id()
    created_by: int | None = _maker()
    updated_by: int | None = _maker()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class Lead(SQLModel, table=True):
    """A source of information: a page, a file or a text.

    `url_key` is the url as duplicates are found by it, empty for none. `source_raw` is the source
    as a text; `source_id` the organisation that it is, where that is known.
    """

    __tablename__ = "leads"
    __table_args__ = (
        _words("status", STATUSES),
        _words("priority", PRIORITIES),
        _words("confidentiality", CONFIDENTIALITIES),
        _words("source_type", SOURCE_TYPES),
        Index(
            "ix_leads_changed",
            "project_id",
            text("updated_at DESC"),
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index(
            "ix_leads_updated",
            text("updated_at DESC"),
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index("ix_leads_url_key", "project_id", "url_key", postgresql_where=text("url_key <> ''")),
        Index("ix_leads_searched", "searched", postgresql_using="gin"),
        Index(
            "ix_leads_text_md5",
            "project_id",
            text("md5(text)"),
            postgresql_where=text("source_type = 'text'"),
        ),
        Index(
            "ix_leads_of_group",
            "lead_group_id",
            text("updated_at DESC"),
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=text("lead_group_id IS NOT NULL"),
        ),
        Index("ix_leads_attachment_id", "attachment_id"),
        Index("ix_leads_source_id", "source_id"),
    )

    id: int | None = pk()
    uuid: UUID = _uuid()
    project_id: int = big("projects.id", ondelete="CASCADE")
    title: str = string()
    source_raw: str = string("")
    source_id: int | None = big("organizations.id", null=True, ondelete="SET NULL")
    website: str = string("")
    url: str = string("")
    url_key: str = string("")
    text: str = string("")
    source_type: str = string("unknown")
    priority: str = string("low")
    confidentiality: str = string("unprotected")
    status: str = string("not_tagged")
    published_on: date | None = Field(default=None, sa_column=Column(Date, nullable=True))
    attachment_id: int | None = big("attachments.id", null=True, ondelete="SET NULL")
    lead_group_id: int | None = Field(
        default=None,
        sa_column=Column(
            BigInteger, ForeignKey("lead_groups.id", ondelete="SET NULL"), nullable=True
        ),
    )
    is_assessment_lead: bool = flag()
    emm_triggers: list[dict[str, Any]] = json("[]")
    emm_entities: list[dict[str, Any]] = json("[]")
    client_id: str | None = _client_id()
    created_by: int | None = _maker()
    updated_by: int | None = _maker()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)
    searched: Any = Field(
        default=None, sa_column=Column(TSVECTOR, Computed(SEARCHED, persisted=True))
    )


class LeadAuthor(SQLModel, table=True):
    """An organisation that wrote a lead, at its place among the authors."""

    __tablename__ = "lead_authors"
    __table_args__ = (
        UniqueConstraint("lead_id", "organization_id"),
        Index("ix_lead_authors_organization_id", "organization_id"),
    )

    id: int | None = pk()
    lead_id: int = big("leads.id", ondelete="CASCADE")
    organization_id: int = big("organizations.id", ondelete="CASCADE")
    position: int = number(0)


class LeadAssignee(SQLModel, table=True):
    """A user who works on a lead, at its place among them."""

    __tablename__ = "lead_assignees"
    __table_args__ = (
        UniqueConstraint("lead_id", "user_id"),
        Index("ix_lead_assignees_user_id", "user_id"),
    )

    id: int | None = pk()
    lead_id: int = big("leads.id", ondelete="CASCADE")
    user_id: int = big("users.id", ondelete="CASCADE")
    position: int = number(0)


organization_types = table_of(OrganizationType)
organizations = table_of(Organization)
attachments = table_of(Attachment)
lead_groups = table_of(LeadGroup)
leads = table_of(Lead)
lead_authors = table_of(LeadAuthor)
lead_assignees = table_of(LeadAssignee)
