"""The errors a caller can cause or must be told of. Everything else is a fault of ours."""

from typing import Any


class DomainError(Exception):
    """An expected failure: a stable code, a message that says what to do, and where it lies."""

    code = "INTERNAL"

    def __init__(self, message: str, *, path: tuple[str, ...] = (), **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.extensions: dict[str, Any] = extensions


class Unauthenticated(DomainError):
    """No credential, or one that is wrong, expired or revoked."""

    code = "UNAUTHENTICATED"


class Forbidden(DomainError):
    """The caller is known and lacks the right."""

    code = "FORBIDDEN"


class NotFound(DomainError):
    """No such object, or one that the caller may not see: the two look alike."""

    code = "NOT_FOUND"


class Invalid(DomainError):
    """Input that its sender can correct. `reason` names the fault for programs."""

    code = "BAD_USER_INPUT"

    def __init__(
        self, message: str, reason: str = "INVALID", *, path: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, path=path, reason=reason)
        self.reason = reason


class TooLarge(DomainError):
    """More bytes than may be sent."""

    code = "PAYLOAD_TOO_LARGE"


class TooComplex(DomainError):
    """An operation that asks for more than one answer can hold."""

    code = "QUERY_TOO_COMPLEX"


class Conflict(DomainError):
    """The object has changed, or the same key was used for another request."""

    code = "CONFLICT"


class RateLimited(DomainError):
    """Too many attempts; `retry_after` in seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """The database is away; the request can be repeated."""

    code = "UNAVAILABLE"
