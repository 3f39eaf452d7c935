"""OLake's words for the graph's."""

STATES = {
    "QUEUED": "Scheduled",
    "RUNNING": "Running",
    "SUCCEEDED": "Completed",
    "FAILED": "Failed",
    "CANCELLED": "Canceled",
}
STATUSES = {word.lower(): status for status, word in STATES.items()}
JOB_TYPES = {"SYNC": "sync", "CLEAR": "clear"}
