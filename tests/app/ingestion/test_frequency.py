"""Frequencies: words, presets and cron lines of five to seven fields."""

from datetime import UTC, datetime

import pytest

from app.core.errors import Invalid
from app.ingestion.frequency import next_fire, parse

NOW = datetime(2026, 11, 26, 9, 7, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "cron", "then"),
    [
        ("* * * * *", "* * * * *", "2026-11-26T09:08:00"),
        (" 0  * * * * ", "0 * * * *", "2026-11-26T10:00:00"),
        ("5-minutes", "*/5 * * * *", "2026-11-26T09:10:00"),
        ("1-hours", "0 * * * *", "2026-11-26T10:00:00"),
        ("6-hours", "0 */6 * * *", "2026-11-26T12:00:00"),
        ("1-days", "0 0 * * *", "2026-11-27T00:00:00"),
        ("2-weeks", "0 0 * * */2", "2026-11-28T00:00:00"),
        ("3-months", "0 0 1 */3 *", "2027-01-01T00:00:00"),
        ("1-years", "0 0 1 1 *", "2027-01-01T00:00:00"),
        ("@daily", "0 0 * * *", "2026-11-27T00:00:00"),
        ("*/10 * * * * *", "*/10 * * * * *", "2026-11-26T09:10:00"),
        ("0 0 * * * 2027", "0 0 * * * 2027", "2027-01-01T00:00:00"),
        ("0 0 29 2 * 2027,2028", "0 0 29 2 * 2027,2028", "2028-02-29T00:00:00"),
        ("30 */5 * * * * *", "30 */5 * * * * *", "2026-11-26T09:10:30"),
        ("15 0 0 1 1 * 2028-2030", "15 0 0 1 1 * 2028-2030", "2028-01-01T00:00:15"),
        ("0 * * * * * 2026", "0 * * * * * 2026", "2026-11-26T09:08:00"),
    ],
)
def test_when_it_comes(frequency: str, cron: str, then: str) -> None:
    assert parse(frequency) == cron
    assert next_fire(cron, NOW) == datetime.fromisoformat(f"{then}+00:00")


@pytest.mark.parametrize("frequency", ["", "  "])
def test_nothing_never_comes(frequency: str) -> None:
    assert parse(frequency) == "" and next_fire("", NOW) is None


@pytest.mark.parametrize(
    "frequency",
    [
        "x",
        "* * * *",
        "* * * * * * * *",
        "61 * * * *",
        "0 0 31 2 *",
        "90-minutes",
        "0-hours",
        "2-years",
        "5-fortnights",
        "0 0 1 1 * 2020",
        "0 0 1 1 * 20270",
        "0 0 1 1 * 2030-2027",
        "0 " * 200,
    ],
)
def test_what_is_none_or_never_comes_is_refused(frequency: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(frequency)
    assert refused.value.reason == "FREQUENCY_INVALID"


def test_a_year_that_is_over_has_no_time_left() -> None:
    assert next_fire("0 0 1 1 * 2026", NOW) is None
