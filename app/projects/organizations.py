"""Which organisations have a part in a project."""

from collections.abc import Sequence

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from app.core import db
from app.core.errors import Invalid
from app.projects.tables import project_organizations

MOST = 100


async def write_organizations(tx: db.Tx, project_id: int, parts: Sequence[tuple[int, str]]) -> None:
    """Make these, in order, the organisations of a project: (number, kind) each."""
    wanted = list(dict.fromkeys(parts))
    if len(wanted) > MOST:
        raise Invalid(f"A project has at most {MOST} organisations.", path=("organizations",))
    c = project_organizations.c
    await tx.execute(delete(project_organizations).where(c.project_id == project_id))
    if not wanted:
        return
    rows = [
        {"project_id": project_id, "organization_id": number, "kind": kind, "position": place}
        for place, (number, kind) in enumerate(wanted)
    ]
    try:
        await tx.execute(insert(project_organizations), rows)
    except IntegrityError as error:
        text = "One of these organisations does not exist."
        raise Invalid(text, path=("organizations",)) from error
