"""SQL for Trino, which no test can run: it parses, and some of it is written down for readers.

`python -m tests.semantic.test_trino` writes the snapshots anew.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from app.semantic.compile import Compiled, compile_query, normalise
from app.semantic.model import Caller
from tests.semantic.places import DATA, Recording, model, recordings

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SNAPSHOTS = DATA / "trino.sql"
SHOWN = (
    "basic-all-measure-types",
    "page-offset-beyond",
    "f-notContains",
    "f-or-and-nested",
    "f-gt",
    "d-inDateRange-tz",
    "t-tz-month-shift",
    "order-by-nulls-desc",
    "j-fanout-total-limit",
    "j-ratio-across-fanout-filter",
    "sq-filter",
    "roll-trailing",
)
ANSWERED = [
    one
    for one in recordings("/v2/load")
    if one["response"]["status"] == 200 and one["request"]["method"] == "POST"
]


def _compiled(recording: Recording) -> list[Compiled]:
    body: Any = recording["request"]["body"]
    asked = normalise(body["query"], multi=True, now=NOW)
    return [compile_query(model(), one, Caller(), "trino") for one in asked.queries]


def snapshots() -> str:
    """The SQL of some recordings, each laid out under its name, with its values."""
    parts = []
    for one in sorted(ANSWERED, key=lambda one: str(one["id"])):
        if one["id"] in SHOWN:
            (found,) = _compiled(one)
            tree = sqlglot.parse_one(found.sql, dialect="trino")
            parts.append(f"-- {one['id']}\n{tree.sql('trino', pretty=True)}\n-- {found.values}\n")
    return "\n".join(parts)


@pytest.mark.parametrize("recording", ANSWERED, ids=[one["id"] for one in ANSWERED])
def test_it_parses_and_has_a_mark_for_each_value(recording: Recording) -> None:
    for found in _compiled(recording):
        tree = sqlglot.parse_one(found.sql, dialect="trino")
        assert len(list(tree.find_all(exp.Placeholder))) == len(found.values)
        assert "\ue000" not in found.sql
        # What only PostgreSQL and DuckDB know.
        for name in (" ILIKE ", "GENERATE_SERIES", "::"):
            assert name not in found.sql


def test_snapshots_are_as_they_were() -> None:
    assert snapshots() == SNAPSHOTS.read_text()
    assert SNAPSHOTS.read_text().count("\nSELECT") == len(SHOWN)


if __name__ == "__main__":
    SNAPSHOTS.write_text(snapshots())
