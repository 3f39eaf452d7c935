"""Refresh keys: as long as they are the same, an answer holds."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from cronsim import CronSim

from app.semantic.asking import Held, Statement, Wanted, answer, together
from app.semantic.model import RefreshKey

MOST_ROWS = 100
EVERY_S = 10
"""Where a key does not say how often it may change."""


@dataclass(frozen=True)
class Key:
    """A table's key, and where its SQL is asked."""

    key: RefreshKey
    statement: Statement | None


@dataclass(frozen=True)
class Value:
    """What keys are now: until `until`, a Unix time, and as long as answers to their SQL hold."""

    text: str
    until: float
    held: tuple[Held, ...] = ()


def bounded(sql: str) -> str:
    """A key's SQL with so many rows as can count: nobody reads a table to learn that it is the same."""
    return f"SELECT * FROM (\n{sql.rstrip().rstrip(';')}\n) AS refresh_key LIMIT {MOST_ROWS}"


async def value_of(keys: Sequence[Key], *, renew: bool, wait_s: float) -> Value | None:
    """All the keys' values now, as one; None where their SQL takes longer than `wait_s`."""
    values = await together([_value(one, renew, wait_s) for one in keys])
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return Value(
        "|".join(one.text for one in known),
        min((one.until for one in known), default=math.inf),
        tuple(held for one in known for held in one.held),
    )


async def _value(one: Key, renew: bool, wait_s: float) -> Value | None:
    now = time.time()
    period, end = _period(one.key, now), _end(one.key, now)
    if one.statement is None:
        return Value(period, end)
    # Where its asker was told to come again, the run that is waited for counts as new.
    found = await answer(one.statement, Wanted(period, 0 if renew else None), wait_s)
    if found is None:
        return None
    return Value(sha256(found.content).hexdigest(), end, (Held(found, period),))


def _period(key: RefreshKey, now: float) -> str:
    """Which of the periods between which the key may change it is now."""
    if key.immutable:
        return "immutable"
    if key.cron is not None:
        zone = ZoneInfo(key.timezone)
        local = datetime.fromtimestamp(now, UTC).astimezone(zone)
        # Its last time up to now, which the reverse search leaves out.
        return next(CronSim(key.cron, local + timedelta(seconds=1), reverse=True)).isoformat()
    return str(int(now // (key.every or EVERY_S)))


def _end(key: RefreshKey, now: float) -> float:
    """When the period ends that it is now."""
    if key.immutable:
        return math.inf
    if key.cron is not None:
        local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(key.timezone))
        return next(CronSim(key.cron, local)).timestamp()
    every = key.every or EVERY_S
    return (now // every + 1) * every
