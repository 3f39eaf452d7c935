"""Files by HTTP: sent to `/v2/uploads` before they become attachments, read from `/v2/files/<uuid>`.

`POST /v2/uploads` takes the bytes as they are and answers `{"upload": "…", "bytes": n}`; the mutation
attachmentCreate makes an attachment of that within a day.
"""

from typing import Any
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from app.access import identify
from app.content import reads
from app.content.staging import file_of, stage
from app.core.csrf import csrf_refusal, own_origin
from app.core.errors import DomainError, Forbidden, NotFound
from app.core.rules import Subject
from app.settings import get_settings

STATUSES = {
    "BAD_USER_INPUT": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
}


async def upload(request: Request) -> Response:
    """Stage the bytes of the body."""
    try:
        subject = await identify.from_request(request)
        if subject.by_cookie:
            _refuse_foreign(request)
        staged = await stage(subject, request.stream())
    except DomainError as error:
        return _refused(error)
    except ClientDisconnect:
        return Response(status_code=400)
    return JSONResponse({"upload": staged.upload, "bytes": staged.bytes}, 201)


async def download(request: Request) -> Response:
    """The bytes of an attachment that the caller may read; no browser shows them as a page of ours."""
    try:
        subject = await identify.from_request(request)
        row = await _attachment(subject, request.path_params["uuid"])
    except DomainError as error:
        return _refused(error)
    place = file_of(str(row["uuid"]))
    if place is None:
        return _refused(NotFound("The file is gone."))
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return FileResponse(place, headers=headers, media_type=row["mime_type"], filename=row["title"])


async def _attachment(subject: Subject, given: str) -> Any:
    subject.require_known()
    try:
        uuid = UUID(given)
    except ValueError as error:
        raise NotFound("There is no such file.") from error
    row = await reads.attachment(subject, uuid)
    if row is None:
        raise NotFound("There is no such file.")
    return row


def _refuse_foreign(request: Request) -> None:
    allowed = get_settings().access.allowed_origins
    reason = csrf_refusal(request.method, request.headers, allowed, own_origin(request))
    if reason is not None:
        raise Forbidden(reason)


def _refused(error: DomainError) -> Response:
    told = {"message": error.message, "extensions": {"code": error.code}}
    return JSONResponse({"errors": [told]}, STATUSES.get(error.code, 400))
