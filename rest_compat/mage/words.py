"""Mage's words for the graph's, both ways."""

RUN_WORDS = {
    "QUEUED": "initial",
    "RUNNING": "running",
    "SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
RUN_STATUSES = {word: status for status, word in RUN_WORDS.items()}
STEP_WORDS = {
    **RUN_WORDS,
    "PENDING": "initial",
    "QUEUED": "queued",
    "UPSTREAM_FAILED": "upstream_failed",
    "SKIPPED": "condition_failed",
}
STEP_STATUSES = {word: status for status, word in STEP_WORDS.items()}
TRIGGER_STATUSES = {"active": "ACTIVE", "inactive": "INACTIVE"}
TRIGGER_TYPES = {"api": "API", "time": "TIME", "event": "EVENT"}
ROLE_ACCESS = {"owner": 1, "admin": 2, "editor": 4, "viewer": 8}
"""Bits of `project_access`; roles that Mage does not know read as viewers."""
