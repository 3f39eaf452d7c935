"""Lines for people: plain ones, and on a terminal a last line that changes in place."""

import shutil
import sys
import time
from datetime import datetime
from typing import Any

CLEAR = "\r\x1b[K"

WHY = {
    "TRIGGER_INACTIVE": "its trigger is switched off",
    "NOT_DUE": "it is to start later",
    "RETRY": "it is tried again",
    "POLL": "a sensor is asked again",
    "NO_WORKER": "no worker is there; start one with `isthmus worker`",
    "WORKERS_STALLED": "the workers cannot look for work; their logs say why",
    "WORKER_LOST": "its worker is gone, and another is about to take it over",
    "CONCURRENCY": "as many runs of this pipeline run as may",
    "LANE": "as many runs of its trigger or backfill run as may",
    "PROJECT_LIMIT": "as many runs of the project run as may",
    "WORKERS_BUSY": "every worker has as many runs as it takes",
    "UPSTREAM": "blocks before it have not ended",
    "SLOT": "all block processes are busy",
    "LIMIT": "as many blocks of the run are at work as may be",
}


def why(waiting: dict[str, Any]) -> str | None:
    """Why a run or step waits, in words; None for one that does not, or is about to begin."""
    text = WHY.get(waiting["waitReason"] or "")
    if text is None:
        return None
    if waiting["waitFor"]:
        text += f": {', '.join(waiting['waitFor'])}"
    if waiting["waitUntil"]:
        until = datetime.fromisoformat(waiting["waitUntil"]).astimezone()
        text += f" (at {until:%H:%M:%S})"
    return text


class Screen:
    """Standard output."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._began = time.monotonic()

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer."""
        return self._terminal and sys.stdin.isatty()

    def say(self, text: str) -> None:
        """A line that stays."""
        print(f"{CLEAR if self._terminal else ''}{text}", flush=True)

    def show(self, text: str) -> None:
        """The last line of a terminal, in place of what it was; nothing elsewhere."""
        if self._terminal:
            room = shutil.get_terminal_size().columns - 1
            seconds = time.monotonic() - self._began
            print(f"{CLEAR}{f'{seconds:5.0f} s  {text}'[:room]}", end="", flush=True)

    def clear(self) -> None:
        """Take the last line of a terminal away."""
        if self._terminal:
            print(CLEAR, end="", flush=True)
