"""The rows that the recorded server of DEEP held, with the same ids."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.access import passwords
from app.access.tables import memberships, roles, user_group_members, user_groups, users
from app.content.tables import (
    lead_assignees,
    lead_authors,
    lead_groups,
    leads,
    organization_types,
    organizations,
)
from app.content.urls import normalised
from app.core import db
from app.core.rules import ROLES
from app.projects.tables import projects
from tests.factories import rows

RECORDED = json.loads((Path(__file__).parent / "deep" / "recordings.json").read_text())
IDS: dict[str, int] = RECORDED["about"]["ids"]
FIXTURE: dict[str, Any] = RECORDED["about"]["fixture"]
PASSWORD = "Passw0rd!x"
ROLE_NAMES = {
    "project_owner": ("owner", "Clairvoyant One"),
    "admin": ("admin", "Admin"),
    "member": ("editor", "Analyst"),
    "unknown.sourcer": ("sourcer", "Sourcer"),
    "reader": ("viewer", "Reader"),
    "reader_non_confidential": ("restricted_viewer", "Reader (Non-confidential)"),
}
STATUSES = {"pending": "not_tagged", "processed": "in_progress", "validated": "tagged"}
PRIORITIES = {100: "low", 200: "medium", 300: "high"}
NEVER_SAVED = {"version": 0}
"""Rows that no API has saved have this version in DEEP."""


async def _clear() -> None:
    async with db.engine().begin() as connection:
        tables = (
            "users, projects, organizations, organization_types, user_groups, attachments, roles"
        )
        await connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))


async def insert_fixture() -> None:
    """Empty the database, and insert what the recorded one held."""
    await _clear()
    await _people()
    await _places()
    for number, lead in enumerate(FIXTURE["leads"]):
        await _lead(lead, number)
    for table in ("users", "projects", "roles", "memberships", "organizations", "lead_groups"):
        await set_next(table)
    for table in ("user_groups", "user_group_members", "leads", "attachments", "join_requests"):
        await set_next(table)


async def set_next(table: str, number: int | None = None) -> None:
    """Let the next row of a table have this id; the one behind the largest where none is given."""
    largest = f"(SELECT coalesce(max(id), 0) FROM {table})"
    last = largest if number is None else str(number - 1)
    async with db.engine().begin() as connection:
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        await connection.execute(
            text(f"SELECT setval({sequence}, greatest({last}, 1), {last} > 0)")
        )


async def _people() -> None:
    hashed = await passwords.hashed(PASSWORD)
    for name, (ours, title) in ROLE_NAMES.items():
        held = list(ROLES[ours][1])
        await rows.row(roles, id=IDS[f"role.{name}"], name=ours, title=title, permissions=held)
    for user in FIXTURE["users"]:
        await rows.row(
            users,
            id=IDS[user["key"]],
            username=user["username"],
            email=user["username"],
            first_name=user["firstName"],
            last_name=user["lastName"],
            password_hash=hashed,
        )
    for group in FIXTURE["userGroups"]:
        own = _made(IDS["user.alice"])
        shown = {"title": group["title"], "description": group["description"]}
        await rows.row(user_groups, id=IDS[group["key"]], **shown, **own)
        for user, role in group["members"].items():
            one = {"group_id": IDS[group["key"]], "user_id": IDS[user]}
            await rows.row(user_group_members, **one, is_admin=role == "admin")


def _made(user_id: int) -> dict[str, int]:
    return {"created_by": user_id, "updated_by": user_id}


async def _places() -> None:
    for project in FIXTURE["projects"]:
        await rows.row(
            projects,
            id=IDS[project["key"]],
            uuid=project["key"],
            name=project["title"],
            description=project.get("description", ""),
            status=project.get("status", "inactive"),
            is_private=project.get("isPrivate", False),
            **_made(IDS[project["createdBy"]]),
            **NEVER_SAVED,
        )
        for user, role in project["members"].items():
            await rows.row(
                memberships,
                project_id=IDS[project["key"]],
                user_id=IDS[user],
                role_id=IDS[f"role.{role}"],
            )
    kind = "International Organization"
    await rows.row(organization_types, id=1, title=kind, short_name="IO")
    for one in FIXTURE["organizations"]:
        await rows.row(
            organizations,
            id=IDS[one["key"]],
            title=one["title"],
            short_name=one["shortName"],
            verified=one.get("verified", False),
            organization_type_id=1 if "organizationType" in one else None,
            **_made(IDS["user.alice"]),
            **NEVER_SAVED,
        )
    for group in FIXTURE["leadGroups"]:
        await rows.row(
            lead_groups,
            id=IDS[group["key"]],
            title=group["title"],
            project_id=IDS[group["project"]],
            **_made(IDS["user.alice"]),
            **NEVER_SAVED,
        )


async def _lead(lead: dict[str, Any], number: int) -> None:
    def ref(name: str) -> int | None:
        return IDS[lead[name]] if name in lead else None

    published = lead.get("publishedOn")
    # Our default order is newest change first, the server's was that of creation.
    changed = datetime(2024, 6, 1, tzinfo=UTC) - timedelta(minutes=number)
    await rows.row(
        leads,
        id=IDS[lead["key"]],
        title=lead["title"],
        status=STATUSES[lead["status"]],
        confidentiality=lead["confidentiality"],
        priority=PRIORITIES[lead["priority"]],
        source_type=lead["sourceType"],
        url=lead.get("url", ""),
        url_key=normalised(lead.get("url", "")),
        text=lead.get("text", ""),
        published_on=None if published is None else date.fromisoformat(published),
        project_id=IDS[lead["project"]],
        source_id=ref("source"),
        lead_group_id=ref("leadGroup"),
        created_at=datetime.fromisoformat(lead["createdAt"]),
        updated_at=changed,
        **_made(IDS[lead["createdBy"]]),
        **NEVER_SAVED,
    )
    if "assignee" in lead:
        await rows.row(lead_assignees, lead_id=IDS[lead["key"]], user_id=IDS[lead["assignee"]])
    for place, author in enumerate(lead.get("authors", [])):
        one = {"lead_id": IDS[lead["key"]], "organization_id": IDS[author]}
        await rows.row(lead_authors, **one, position=place)
