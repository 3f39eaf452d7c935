"""When a job is due: cron lines of five to seven fields, OLake's older words, presets.

Fields are read as OLake's scheduler reads them: five are minute to day of the week, six have a year
behind, seven have seconds in front as well. All times are UTC.
"""

import re
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from app.core.errors import Invalid

MAX_LENGTH = 255
PRESETS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WORDS = re.compile(r"(\d{1,4})-(minutes|hours|days|weeks|months|years)")
_STEPS = {
    "minutes": ("*/{} * * * *", 59),
    "hours": ("0 */{} * * *", 23),
    "days": ("0 0 */{} * *", 31),
    "weeks": ("0 0 * * */{}", 7),
    "months": ("0 0 1 */{} *", 12),
    "years": ("0 0 1 1 */{}", 1),
}
_YEAR = re.compile(r"\*|\d{4}([-,]\d{4})*")
_LATEST_YEAR = 2199


def parse(frequency: str) -> str:
    """The cron line of a frequency; empty for one that only calls start. Invalid FREQUENCY_INVALID."""
    text = " ".join(frequency.split())
    if not text:
        return ""
    line = PRESETS.get(text) or _of_words(text) or text
    if len(line) > MAX_LENGTH or len(line.split(" ")) not in (5, 6, 7):
        raise _no_frequency(frequency)
    try:
        first = next_fire(line, datetime.now(UTC))
    except (CronSimError, ValueError) as error:
        raise _no_frequency(frequency) from error
    if first is None:
        raise _no_frequency(frequency, "never comes")
    return line


def next_fire(cron: str, now: datetime) -> datetime | None:
    """The first time after `now`; None where there is none, and for an empty line."""
    if not cron:
        return None
    seconds, line, year = _split(cron)
    full = line if seconds is None else f"{seconds} {line}"
    for first in _starts(_years(year), now):
        found: datetime | None = next(CronSim(full, first), None)
        if year == "*" or (found is not None and found.year in (_years(year) or ())):
            return found
    return None


def _starts(years: frozenset[int] | None, now: datetime) -> list[datetime]:
    """Moments behind which to look: `now`, and the eve of each year that is still to come."""
    eves = [datetime(y, 1, 1, tzinfo=UTC) - timedelta(seconds=1) for y in sorted(years or ())]
    return [now, *(eve for eve in eves if eve > now)]


def _split(cron: str) -> tuple[str | None, str, str]:
    fields = cron.split(" ")
    if len(fields) == 5:
        return None, cron, "*"
    if len(fields) == 6:
        return None, " ".join(fields[:5]), fields[5]
    seconds = None if fields[0] == "0" else fields[0]
    return seconds, " ".join(fields[1:6]), fields[6]


def _years(field: str) -> frozenset[int] | None:
    if field == "*":
        return None
    if not _YEAR.fullmatch(field):
        raise ValueError(field)
    found: set[int] = set()
    for part in field.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    if not found or max(found) > _LATEST_YEAR:
        raise ValueError(field)
    return frozenset(found)


def _of_words(text: str) -> str | None:
    match = _WORDS.fullmatch(text.lower())
    if match is None:
        return None
    count, (template, most) = int(match[1]), _STEPS[match[2]]
    if not 1 <= count <= most:
        raise Invalid(
            f"Every {count} {match[2]} cannot be a frequency: 1 to {most} can. Write a cron line.",
            "FREQUENCY_INVALID",
            path=("frequency",),
        )
    return template.format(count).replace("*/1 ", "* ").removesuffix("/1")


def _no_frequency(frequency: str, what: str = "is no frequency") -> Invalid:
    text = (
        f"{frequency[:50]!r} {what}. Write a cron line of 5 to 7 fields in UTC, words such as "
        "2-hours, or nothing for a job that only calls start."
    )
    return Invalid(text, "FREQUENCY_INVALID", path=("frequency",))
