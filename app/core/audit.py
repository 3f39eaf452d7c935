"""The audit log: one row with each change, in the change's own transaction."""

from typing import Any

from sqlmodel import SQLModel

from app.core.tables import Moment, big, json, now_by_default, pk, string, strings, table_of


class AuditRow(SQLModel, table=True):
    """Who did what to which object; names of changed fields, never their values."""

    __tablename__ = "audit_log"

    id: int | None = pk()
    at: Moment = now_by_default()
    actor_kind: str = string()
    actor_id: int | None = big(null=True)
    session_id: int | None = big(null=True)
    key_id: int | None = big(null=True)
    address: str | None = string(null=True)
    action: str = string()
    object_type: str = string()
    object_id: str | None = string(null=True)
    project_id: int | None = big(null=True, index=True)
    fields: list[str] = strings()
    request_id: str | None = string(null=True)
    detail: dict[str, Any] | None = json()


audit_log = table_of(AuditRow)
