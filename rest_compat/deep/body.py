"""Bodies as DEEP takes them: JSON, forms, and files on their way to the storage."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from app.content.staging import CHUNK, forget, stage
from app.core.rules import Subject
from app.settings import get_settings
from rest_compat.body import BodyRefused, checked_object, read_bytes
from rest_compat.deep.answer import BadInput
from rest_compat.deep.words import snaked
from rest_compat.dialect import Sent

_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
MOST_FIELDS = 200
OPEN_BODY = 4 * 1024 * 1024
ROOM_OF_FORM = 1024 * 1024
Read = tuple[dict[str, Any] | None, Mapping[str, Sent]]


async def read(request: Request, subject: Subject) -> Read:
    """The members of the body in snake case, and its files, staged for the caller.

    BodyRefused for broken, foreign or too large bodies, BadInput for JSON that is no object.
    """
    if not _accepts_json(request.headers.get("accept", "")):
        raise BodyRefused("NOT_ACCEPTABLE", "Could not satisfy the request Accept header.")
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None, {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, subject)
    raw = await read_bytes(request, OPEN_BODY)
    if not raw.strip():
        return None, {}
    if kind == "application/x-www-form-urlencoded":
        return _form(raw), {}
    if kind not in ("application/json", ""):
        raise BodyRefused("UNSUPPORTED_MEDIA_TYPE", f'Unsupported media type "{kind}" in request.')
    return _json(raw), {}


def _accepts_json(accept: str) -> bool:
    kinds = [one.partition(";")[0].strip() for one in accept.lower().split(",") if one.strip()]
    good = ("*/*", "application/*", "application/json")
    # Browsers that open a file say what they can show; JSON is what they get else.
    return not kinds or any(one in good or one == "text/html" for one in kinds)


def _json(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BodyRefused("BAD_USER_INPUT", f"JSON parse error - {_fault(raw, error)}") from error
    if not isinstance(value, dict):
        kind = type(value).__name__
        text = f"Invalid data. Expected a dictionary, but got {kind}."
        raise BadInput({"nonFieldErrors": [text]})
    checked_object(value, raw)
    made: dict[str, Any] = snaked(value)
    return made


def _fault(raw: bytes, error: Exception) -> str:
    """What is wrong, in the words of Python's own parser, which callers know."""
    try:
        json.loads(raw)
    except json.JSONDecodeError as known:
        return str(known)
    except (ValueError, RecursionError):
        pass
    return str(error)


def _form(raw: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise BodyRefused("BAD_USER_INPUT", "The form cannot be read.") from error
    return _members(pairs)


def _members(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if "\x00" in name + value:
            raise BodyRefused("BAD_USER_INPUT", "The body contains the character NUL.")
        found[name] = value if name not in found else [*_as_list(found[name]), value]
    made: dict[str, Any] = snaked(found)
    return made


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def _multipart(request: Request, subject: Subject) -> Read:
    # Who is not known has no file to send.
    room = get_settings().door.max_upload + ROOM_OF_FORM if subject.is_known else ROOM_OF_FORM
    limited = Request(request.scope, _Limited(request, room).receive)
    try:
        form = await limited.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=ROOM_OF_FORM)
    except (HTTPException, MultiPartException) as error:
        text = getattr(error, "message", None) or getattr(error, "detail", "")
        raise BodyRefused("BAD_USER_INPUT", f"Multipart form parse error - {text}") from error
    async with _closing(form):
        texts = [(n, v) for n, v in form.multi_items() if isinstance(v, str)]
        files = {n: v for n, v in form.multi_items() if isinstance(v, UploadFile)}
        members = _members(texts)
        sent = {n: await _staged(v, subject) for n, v in files.items()}
    return members, sent


class _closing:
    def __init__(self, form: FormData) -> None:
        self.form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self.form.close()


async def _staged(file: UploadFile, subject: Subject) -> Sent:
    name = _FOLDERS.sub("", file.filename or "") or "file"
    if "\x00" in name:
        raise BodyRefused("BAD_USER_INPUT", "The file's name contains the character NUL.")
    staged = await stage(subject, _chunks(file))
    return Sent(name, staged.upload, partial(forget, subject, staged.upload))


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


class _Limited:
    """A request's body that ends with a refusal where it grows too long."""

    def __init__(self, request: Request, room: int) -> None:
        self.receive_more = request.receive
        self.room = room

    async def receive(self) -> Message:
        """The next message."""
        message = await self.receive_more()
        self.room -= len(message.get("body", b""))
        if self.room < 0:
            most = get_settings().door.max_upload
            raise BodyRefused("PAYLOAD_TOO_LARGE", f"A file may have at most {most} bytes.")
        return message
