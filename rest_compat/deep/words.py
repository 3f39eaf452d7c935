"""DEEP's words for ours, both ways, and its letter case."""

import re
from collections.abc import Mapping
from typing import Any

STATUSES = {"pending": "NOT_TAGGED", "processed": "IN_PROGRESS", "validated": "TAGGED"}
PRIORITIES = {100: "LOW", 200: "MEDIUM", 300: "HIGH"}
CONFIDENTIALITIES = {
    "unprotected": "UNPROTECTED",
    "restricted": "RESTRICTED",
    "confidential": "CONFIDENTIAL",
}
SOURCE_TYPES = {
    "text": "TEXT",
    "disk": "DISK",
    "website": "WEBSITE",
    "dropbox": "DROPBOX",
    "google-drive": "GOOGLE_DRIVE",
    "rss": "RSS",
    "emm": "EMM",
    "api": "API",
    "unknown": "UNKNOWN",
}
PROJECT_STATUSES = {"active": "ACTIVE", "inactive": "INACTIVE"}
ORGANIZATION_KINDS = {
    "lead_organization": "LEAD_ORGANIZATION",
    "international_partner": "INTERNATIONAL_PARTNER",
    "national_partner": "NATIONAL_PARTNER",
    "donor": "DONOR",
    "government": "GOVERNMENT",
}
JOIN_STATUSES = {"pending": "PENDING", "accepted": "ACCEPTED", "rejected": "REJECTED"}
ROLES: dict[str, tuple[str, int, bool]] = {
    "owner": ("project_owner", 1, True),
    "admin": ("admin", 100, True),
    "editor": ("member", 200, False),
    "sourcer": ("unknown", 300, False),
    "viewer": ("reader", 400, False),
    "restricted_viewer": ("reader_non_confidential", 800, False),
}
"""Our role: DEEP's type, its level (lower is stronger), whether its holders are admins."""
FREE = ("data", "custom_project_fields")
"""Members with content of their makers, whose letter case is left alone."""

_AFTER_UNDERSCORE = re.compile(r"[a-z0-9]?_[a-z0-9]")
_BEFORE_UPPER = re.compile(r"([a-z0-9_])(?=[A-Z])|([A-Z]+)(?=[A-Z][a-z])")


def told(words: Mapping[Any, str], ours: str) -> Any:
    """DEEP's word for one of ours."""
    return next(theirs for theirs, word in words.items() if word == ours)


def camel(name: str) -> str:
    """`created_at__gte` -> `createdAt_Gte`, as the library of the server does it."""

    def raised(match: re.Match[str]) -> str:
        text = match.group()
        return text[0] + text[2].upper() if len(text) == 3 else text[1].upper()

    return _AFTER_UNDERSCORE.sub(raised, name)


def snake(name: str) -> str:
    """`createdAt` -> `created_at`, `HTMLParser` -> `html_parser`; digits stay where they are."""
    return _BEFORE_UPPER.sub(lambda found: f"{found.group()}_", name).lower()


def snaked(value: Any) -> Any:
    """JSON with its keys in snake case; of two spellings of a key the last one counts."""
    if isinstance(value, list):
        return [snaked(one) for one in value]
    if not isinstance(value, dict):
        return value
    pairs = ((snake(name), one) for name, one in value.items())
    return {name: one if name in FREE else snaked(one) for name, one in pairs}
