"""Verbs of models: a new version, of files that load without an error."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from app.core import db
from app.core.changes import insert_row
from app.core.errors import Conflict, Invalid, NotFound
from app.core.rules import Subject
from app.projects.actions import lock_project
from app.semantic.loaded import TOPIC
from app.semantic.model.apart import check
from app.semantic.sources import dialects, resolve
from app.semantic.tables import semantic_models

KEPT = 100
"""So many versions of a project are kept."""
MAX_FILES = 1000
MAX_BYTES = 1024**2
NOTE_LENGTH = 500
PATH_LENGTH = 300


async def push_model(
    subject: Subject,
    project_id: int,
    files: Any,
    note: str = "",
    expected_version: int | None = None,
) -> int:
    """Make a version of `files`, {path: text}, and serve it; the files that there are already make none.

    Raises ModelErrors, which says all that is wrong, Invalid for what are no files, and Conflict
    where the newest version is no longer the expected one.
    """
    require_writer(subject, project_id)
    checked = check_files(files)
    if len(note) > NOTE_LENGTH or "\x00" in note:
        raise Invalid(f"A note has at most {NOTE_LENGTH} characters.", path=("note",))
    await check_model(project_id, checked)
    c = semantic_models.c
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        wanted = select(semantic_models).where(c.project_id == project_id)
        newest = await tx.one(wanted.order_by(c.version.desc()).limit(1))
        version = 0 if newest is None else newest["version"]
        if expected_version is not None and expected_version != version:
            raise Conflict(f"It has version {version} now, not {expected_version}. Read it again.")
        if newest is not None and newest["files"] == checked:
            made = newest
        else:
            own = {"project_id": project_id, "version": version + 1, "files": checked}
            who = {"note": note, "created_by": subject.user_id}
            made = await insert_row(tx, semantic_models, {**own, **who})
            old = c.version <= made["version"] - KEPT
            await tx.execute(delete(semantic_models).where(c.project_id == project_id, old))
        await tx.audit("semantic_model.create", "SemanticModel", made["id"], project_id=project_id)
        tx.wake(TOPIC)
    return int(made["id"])


def require_writer(subject: Subject, project_id: int) -> None:
    """Only who may change pipelines may have templates rendered; NotFound for hidden projects."""
    subject.require_known()
    if not subject.may("project.read", project_id):
        raise NotFound("There is no such project.")
    subject.require("pipeline.write", project_id)


async def check_model(project_id: int, files: Mapping[str, str]) -> None:
    """Raise ModelErrors where files are no model for the data sources of the project."""
    written = dialects(await resolve(project_id))
    await check(files, written)


def check_files(files: Any) -> dict[str, str]:
    """The files of a model; Invalid for anything else, and for too many."""
    if not isinstance(files, Mapping) or not files or len(files) > MAX_FILES:
        raise Invalid(f"`files` must be an object of 1 to {MAX_FILES} texts.", path=("files",))
    for path, text in files.items():
        parts = path.split("/")
        odd = len(path) > PATH_LENGTH or "\x00" in path or {"", ".", ".."} & set(parts)
        if odd or "\\" in path:
            raise Invalid(f"{path[:100]!r} is no path below the model's folder.", path=("files",))
        if not isinstance(text, str) or "\x00" in text:
            raise Invalid(f"The file {path} must be a text.", path=("files", path))
    if sum(len(text) for text in files.values()) > MAX_BYTES:
        raise Invalid(f"A model has at most {MAX_BYTES} characters.", path=("files",))
    return dict(files)
