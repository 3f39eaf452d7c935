"""Verbs of those who wish to join a project, and of those who let them."""

from sqlalchemy import RowMapping, delete, func, select, update

from app.access.tables import memberships
from app.core import db
from app.core.changes import insert_row
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.rules import Subject
from app.projects.actions import NO_PROJECT, add_member, lock_project
from app.projects.rules import is_open_to
from app.projects.tables import join_requests, projects

REASON_LENGTH = 1000


async def wish_to_join(subject: Subject, project_id: int, reason: str) -> int:
    """Ask to become a member; Forbidden for members, for private projects, and to ask twice."""
    user_id = subject.require_account()
    if len(reason) > REASON_LENGTH:
        text = f"Ensure this field has no more than {REASON_LENGTH} characters."
        raise Invalid(text, path=("reason",))
    async with db.transaction(subject) as tx:
        # Two wishes at once wait for each other.
        wanted = select(projects).where(projects.c.id == project_id)
        project = await tx.one(wanted.with_for_update(key_share=True))
        if project is None or not is_open_to(subject, project):
            raise NotFound("There is no such project.", reason=NO_PROJECT)
        if user_id is None or await _is_there(tx, project_id, user_id):
            raise Forbidden("You are a member, or have asked already.")
        row = await insert_row(
            tx, join_requests, {"project_id": project_id, "user_id": user_id, "reason": reason}
        )
        await tx.audit("project.join", "JoinRequest", row["id"], project_id=project_id)
    return int(row["id"])


async def _is_there(tx: db.Tx, project_id: int, user_id: int) -> bool:
    m, j = memberships.c, join_requests.c
    member = select(m.id).where(m.project_id == project_id, m.user_id == user_id)
    asked = select(j.id).where(
        j.project_id == project_id, j.user_id == user_id, j.status == "pending"
    )
    return await tx.one(member.union_all(asked)) is not None


async def take_back(subject: Subject, project_id: int) -> int:
    """Take a pending wish back; NotFound where there is none."""
    user_id = subject.require_account()
    async with db.transaction(subject) as tx:
        c = join_requests.c
        own = (c.project_id == project_id, c.user_id == user_id, c.status == "pending")
        row = await tx.one(delete(join_requests).where(*own).returning(c.id))
        if row is None:
            raise NotFound("There is no such wish.")
        await tx.audit("project.join_cancel", "JoinRequest", row["id"], project_id=project_id)
    return int(row["id"])


async def answer_wish(
    subject: Subject, number: int, role: str | None, within: int | None = None
) -> int:
    """Accept a wish with a role, or refuse it with None; Invalid ANSWERED where it is settled.

    NotFound where it is not to join the project `within`. Who has become a member meanwhile keeps
    the role of that.
    """
    async with db.transaction(subject) as tx:
        row = await _wish(tx, number, within)
        project_id = row["project_id"]
        await lock_project(tx, project_id, "member.write")
        if row["status"] != "pending":
            text = "This request has already been {}".format(row["status"])
            raise Invalid(text, "ANSWERED")
        m = memberships.c
        there = select(m.id).where(m.project_id == project_id, m.user_id == row["user_id"])
        if role is not None and await tx.one(there) is None:
            await add_member(tx, project_id, row["user_id"], role)
        await tx.execute(
            update(join_requests)
            .where(join_requests.c.id == number)
            .values(
                status="rejected" if role is None else "accepted",
                answered_by=subject.user_id,
                answered_at=func.now(),
                updated_at=func.now(),
                version=join_requests.c.version + 1,
            )
        )
        await tx.audit("project.join_answer", "JoinRequest", number, project_id=project_id)
    return number


async def _wish(tx: db.Tx, number: int, within: int | None) -> RowMapping:
    tx.subject.require_known()
    row = await tx.one(select(join_requests).where(join_requests.c.id == number).with_for_update())
    if row is None or not tx.subject.may("project.read", row["project_id"]):
        raise NotFound("There is no such wish.")
    if within not in (None, row["project_id"]):
        raise NotFound("There is no such wish.")
    return row
