"""Verbs of project files: what blocks find below `repo_path`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update

from app.access.installation import keys
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.pipelines.actions._shared import lock_row
from app.pipelines.paths import check_path, folders_of
from app.pipelines.tables import project_file_versions, project_files
from app.projects.actions import lock_project

FILE_BYTES = 1024 * 1024
PROJECT_BYTES = 64 * 1024 * 1024
MAX_FILES = 5000
MAX_VERSIONS = 100
"""Earlier contents that are kept of one path."""


@dataclass(frozen=True)
class FileText:
    """What a file shall hold; `is_secret` None keeps it as it is, open where it is new."""

    content: str
    is_secret: bool | None = None


def file_place(project_id: int, path: str) -> str:
    """Where a secret file's ciphertext belongs; it opens nowhere else."""
    return f"project_files/{project_id}/{path}"


async def set_file(
    subject: Subject,
    project_id: int,
    path: str,
    text: FileText,
    expected_version: int | None = None,
) -> int:
    """Write a file, new or not; what it held before is kept as a version.

    Where it becomes secret, its earlier versions do, too.
    """
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        row = await _written(tx, project_id, path, text, expected_version)
        await check_bounds(tx, project_id, [path])
        await tx.audit("project_file.set", "ProjectFile", row["id"], project_id=project_id)
    return int(row["id"])


async def delete_file(subject: Subject, file_id: int) -> int:
    """Delete a file; what it held is kept as a version."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, project_files, file_id, "pipeline.write")
        await _keep_version(tx, row)
        await delete_row(tx, project_files, file_id)
        await tx.audit("project_file.delete", "ProjectFile", file_id, project_id=row["project_id"])
    return file_id


async def write_files(tx: db.Tx, project_id: int, texts: Mapping[str, FileText]) -> None:
    """Write many files; the caller holds the project's lock."""
    for path, text in texts.items():
        await _written(tx, project_id, path, text, None)
    await check_bounds(tx, project_id, texts)


async def drop_files(tx: db.Tx, project_id: int, paths: Iterable[str]) -> None:
    """Delete files by path; the caller holds the project's lock."""
    for path in paths:
        row = await _find(tx, project_id, path)
        if row is not None:
            await _keep_version(tx, row)
            await delete_row(tx, project_files, row["id"])


async def _written(
    tx: db.Tx, project_id: int, path: str, text: FileText, expected_version: int | None
) -> RowMapping:
    row = await _find(tx, project_id, check_path(path))
    secret = text.is_secret if text.is_secret is not None else bool(row and row["sealed"])
    values = _stored(project_id, path, text.content, secret)
    if row is not None:
        changed = await update_row(tx, project_files, row, values, expected_version)
        await _keep_version(tx, row)
        if secret and not row["sealed"]:
            await _seal_versions(tx, project_id, path)
        return changed
    if expected_version is not None:
        raise NotFound("There is no such file.")
    newest = await tx.one(
        select(func.coalesce(func.max(project_file_versions.c.version), 0).label("n")).where(
            _versions_of(project_id, path)
        )
    )
    assert newest is not None
    own = {"project_id": project_id, "path": path, "created_by": tx.subject.user_id}
    made = await insert_row(tx, project_files, {**own, **values, "version": newest["n"] + 1})
    if newest["n"]:
        adopted = update(project_file_versions).where(_versions_of(project_id, path))
        await tx.execute(adopted.values(file_id=made["id"]))
    return made


async def _find(tx: db.Tx, project_id: int, path: str) -> RowMapping | None:
    return await tx.one(
        select(project_files)
        .where(project_files.c.project_id == project_id, project_files.c.path == path)
        .with_for_update()
    )


def _stored(project_id: int, path: str, content: str, secret: bool) -> dict[str, object]:
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        raise Invalid("The content is not valid Unicode.", path=("content",)) from None
    if size > FILE_BYTES:
        raise Invalid(f"A file has at most {FILE_BYTES} bytes.", path=("content",))
    if "\x00" in content:
        raise Invalid("The content has a NUL character.", path=("content",))
    sealed = keys().ring.seal(content, file_place(project_id, path)) if secret else None
    # Of the ciphertext: a secret's own hash would let a reader of the table try out guesses.
    digest = hashlib.sha256((sealed or content).encode()).hexdigest()
    kept = None if secret else content
    return {"content": kept, "sealed": sealed, "sha256": digest, "bytes": size}


async def _keep_version(tx: db.Tx, row: RowMapping) -> None:
    names = ("project_id", "path", "version", "content", "sealed", "sha256", "bytes")
    kept = {name: row[name] for name in names}
    await tx.execute(
        insert(project_file_versions).values(
            **kept, file_id=row["id"], replaced_by=tx.subject.user_id
        )
    )
    too_old = project_file_versions.c.version <= row["version"] - MAX_VERSIONS
    await tx.execute(
        delete(project_file_versions).where(_versions_of(row["project_id"], row["path"]), too_old)
    )


async def _seal_versions(tx: db.Tx, project_id: int, path: str) -> None:
    """What becomes secret was so before, too."""
    table = project_file_versions
    wanted = select(table.c.id, table.c.content).where(
        _versions_of(project_id, path), table.c.content.is_not(None)
    )
    for row in await tx.all(wanted):
        values = _stored(project_id, path, row["content"], True)
        await tx.execute(update(table).where(table.c.id == row["id"]).values(**values))


def _versions_of(project_id: int, path: str) -> ColumnElement[bool]:
    table = project_file_versions.c
    return (table.project_id == project_id) & (table.path == path)


async def check_bounds(tx: db.Tx, project_id: int, paths: Iterable[str]) -> None:
    """Refuse more files or bytes than a project may have, and a file that is a folder as well."""
    table = project_files.c
    held = select(func.count().label("files"), func.sum(table.bytes).label("bytes"))
    total = await tx.one(held.where(table.project_id == project_id))
    assert total is not None
    if total["files"] > MAX_FILES:
        raise Invalid(f"A project has at most {MAX_FILES} files.", path=("path",))
    if (total["bytes"] or 0) > PROJECT_BYTES:
        raise Invalid(f"A project's files have at most {PROJECT_BYTES} bytes.", path=("content",))
    rows = await tx.all(select(table.path).where(table.project_id == project_id))
    files = {row["path"] for row in rows}
    folders = {folder for file in files for folder in folders_of(file)}
    for path in sorted(files & folders):
        raise Invalid(f"{path} cannot be a file and a folder.", path=("path",))
