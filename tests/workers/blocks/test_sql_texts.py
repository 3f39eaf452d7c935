"""Splitting scripts, names and literals: small functions with many cases."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from workers.pipelines.sql.names import (
    block_table,
    clean_columns,
    literal,
    real_name,
    with_parameters,
)
from workers.pipelines.sql.statements import split


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;; -- x;\n /* ; */", []),
        ("a; b", ["a", "b"]),
        ("a ';' b; c", ["a ';' b", "c"]),
        ("a 'it''s;'; b", ["a 'it''s;'", "b"]),
        (r"a E'\';'; b", [r"a E'\';'", "b"]),
        (r"a '\'; b", [r"a '\'", "b"]),
        ('a ";" b; c', ['a ";" b', "c"]),
        ("a $$;$$; b", ["a $$;$$", "b"]),
        ("a $x$;$$;$x$; b", ["a $x$;$$;$x$", "b"]),
        ("a $1; b", ["a $1", "b"]),
        ("a /* ; /* ; */ ; */ b; c", ["a /* ; /* ; */ ; */ b", "c"]),
        ("/* a /* b */ ; */ c; d", ["c", "d"]),
        ("a -- ;\nb; c", ["a -- ;\nb", "c"]),
        ("begin; commit; end; a", ["begin", "commit", "end", "a"]),
        ("f BEGIN ATOMIC a; CASE b END; c; END; d", ["f BEGIN ATOMIC a; CASE b END; c; END", "d"]),
        ("a 'open; b", ["a 'open", "b"]),
    ],
)
def test_scripts_are_split_where_the_server_would(script: str, expected: list[str]) -> None:
    statements = split(script)
    assert [statement.text for statement in statements] == expected
    assert all(script[s.start :].startswith(s.text) for s in statements)


@pytest.mark.parametrize("word", ["BEGIN", "start  transaction", "Commit", "ROLLBACK TO x", "end"])
def test_transaction_control_is_seen(word: str) -> None:
    assert split(f"/* x */ {word}")[0].controls_transaction
    assert not split(f"SELECT '{word}'")[0].controls_transaction


@pytest.mark.parametrize(
    ("written", "real"),
    [
        ("orders", "orders"),
        ("Orders", "orders"),
        ('"Orders"', "Orders"),
        ('"a""b"', 'a"b'),
        ("my table", "my table"),
        ("My-Table", "My-Table"),
    ],
)
def test_names_mean_what_they_mean_in_sql(written: str, real: str) -> None:
    assert real_name(written) == real


def test_names_of_blocks_tables_need_no_quotes_and_fit() -> None:
    assert block_table("my-pipe", "Child:0") == "my_pipe_child_0"
    long = [block_table("p" * 60, f"block_{n}") for n in range(2)]
    assert [len(name) for name in long] == [63, 63]
    assert long[0] != long[1]


def test_columns_are_made_plain_unless_that_collides() -> None:
    assert clean_columns(["Order ID", "a", 1]) == ["order_id", "a", "1"]
    assert clean_columns(["A", "a"]) == ["A", "a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-1.5, "-1.5"),
        (float("nan"), "'nan'"),
        (Decimal("1.10"), "1.10"),
        (np.int64(3), "3"),
        ("it's", "'it''s'"),
        ("a\\' OR 1=1 --", "E'a\\\\'' OR 1=1 --'"),
        (b"\x00\xff", "'\\x00ff'"),
        (date(2026, 1, 2), "'2026-01-02'"),
        (timedelta(minutes=1), "'60.0 seconds'"),
        ((1, "b"), "(1, 'b')"),
        ([1, 2], "ARRAY[1, 2]"),
    ],
)
def test_literals(value: Any, expected: str) -> None:
    assert literal(value) == expected


def test_parameters_take_their_places() -> None:
    assert with_parameters("a %s %% %s", [1, "%s"]) == "a 1 % '%s'"
    assert with_parameters("%(a)s %(b)s %(a)s", {"a": 1, "b": None}) == "1 NULL 1"
    assert with_parameters("100 %s", None) == "100 %s"
    for text, parameters in (("%s %s", [1]), ("%(x)s", {}), ("%s", [object()])):
        with pytest.raises(ValueError, match="do not fit"):
            with_parameters(text, parameters)
