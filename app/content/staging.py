"""Files on their way in and out: sent bytes are staged, and become an attachment by a verb.

A staged file belongs to who sent it, has a name that nobody can guess, and lasts a day. The row of
an attachment is its commit: a file below `attachments/` that no row names is not there.
"""

import asyncio
import hashlib
import mimetypes
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from app.core.errors import Invalid, TooLarge
from app.core.files import Storage, StorageError, sync_folder
from app.core.rules import Subject
from app.settings import get_settings

LASTS_S = 24 * 3600
MOST_STAGED = 100
CHUNK = 1024 * 1024
TYPES = frozenset(
    {
        "application/json",
        "application/msword",
        "application/pdf",
        "application/rtf",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/xml",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/plain",
        "text/tab-separated-values",
        "text/xml",
    }
)
"""What may be sent."""
_ENDS = mimetypes.MimeTypes(filenames=())
_OFFICE = "application/vnd.openxmlformats-officedocument"
for _end, _type in {
    ".exe": "application/x-msdownload",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".md": "text/markdown",
    ".webp": "image/webp",
}.items():
    # What a machine's own tables say of a file's end differs from machine to machine.
    _ENDS.add_type(_type, _end)
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Staged:
    """A file that was sent."""

    upload: str
    bytes: int


@dataclass(frozen=True)
class Measured:
    """What is known of a staged file."""

    bytes: int
    md5: str


def storage() -> Storage:
    """Where files lie."""
    return Storage(get_settings().places.storage_dir)


def type_of(name: str) -> str:
    """The type that a file's name ends with; Invalid FILE_TYPE for one that is refused."""
    found = _ENDS.guess_type(name, strict=False)[0] or "application/octet-stream"
    if found not in TYPES:
        raise Invalid(f"Unsupported file type {found}", "FILE_TYPE", path=("file",))
    return found


async def stage(subject: Subject, chunks: AsyncIterator[bytes]) -> Staged:
    """Write what is sent to a file; TooLarge behind ISTHMUS_MAX_UPLOAD bytes, and nothing is kept.

    Who may write leads of some project may. Of a user's staged files the newest hundred stay.
    """
    owner = subject.require_somewhere("lead.write")
    folder = storage().root / "staged" / str(owner or 0)
    await asyncio.to_thread(_make_room, folder)
    upload, most, length = token_hex(16), get_settings().door.max_upload, 0
    path = folder / upload
    file = await asyncio.to_thread(path.open, "xb")
    try:
        async for chunk in chunks:
            length += len(chunk)
            if length > most:
                raise TooLarge(f"A file may have at most {most} bytes.")
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(_sync, file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        await asyncio.to_thread(file.close)
    return Staged(upload, length)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _make_room(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    oldest, ages = time.time() - LASTS_S, []
    for path in folder.parent.glob("*/*"):  # also of those who never come again
        with suppress(FileNotFoundError):
            age = path.stat().st_mtime
            if age < oldest:
                path.unlink()
            elif path.parent == folder:
                ages.append((age, path))
    for _, path in sorted(ages, reverse=True)[MOST_STAGED - 1 :]:
        path.unlink(missing_ok=True)


async def measured(subject: Subject, upload: str) -> Measured:
    """Length and digest of a staged file of the caller; Invalid where there is none."""
    return await asyncio.to_thread(_measure, _staged(subject, upload))


async def keep(subject: Subject, upload: str, uuid: object) -> None:
    """Make a staged file of the caller the file of an attachment; Invalid where there is none."""
    target = storage().path(f"attachments/{uuid}")
    await asyncio.to_thread(_move, _staged(subject, upload), target)


async def forget(subject: Subject, upload: str) -> None:
    """Remove a staged file of the caller; one that was kept, or is gone, is no error."""
    await asyncio.to_thread(_staged(subject, upload).unlink, missing_ok=True)


def _staged(subject: Subject, upload: str) -> Path:
    if not _TOKEN.fullmatch(upload):
        raise _unknown()
    return storage().path(f"staged/{subject.user_id or 0}/{upload}")


def _unknown() -> Invalid:
    return Invalid("There is no such upload. Send the file again.", path=("upload",))


def _measure(source: Path) -> Measured:
    try:
        with source.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise Invalid("The submitted file is empty.", path=("file",))
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            return Measured(file.tell(), md5)
    except FileNotFoundError:
        raise _unknown() from None


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        source.replace(target)
    except FileNotFoundError:
        raise _unknown() from None
    sync_folder(target.parent)


async def drop(uuid: object) -> None:
    """Remove an attachment's file; nothing to remove is no error."""
    await asyncio.to_thread(storage().path(f"attachments/{uuid}").unlink, missing_ok=True)


def file_of(uuid: str) -> Path | None:
    """Where an attachment's file is; None where it is gone."""
    try:
        path = storage().path(f"attachments/{uuid}")
    except StorageError:
        return None
    return path if path.is_file() else None
