"""The log's messages, texts and snapshots, byte by byte."""

import struct

import duckdb
import pytest

from workers.connectors.base import SyncError
from workers.connectors.pgoutput import (
    ABSENT,
    Begin,
    Commit,
    Delete,
    Insert,
    Relation,
    RelationColumn,
    Truncate,
    Update,
    decode,
)
from workers.connectors.postgres_changes import is_visible
from workers.connectors.postgres_log import lsn_number, lsn_text
from workers.connectors.postgres_text import array_json, from_text


def row(*values: bytes | str) -> bytes:
    """A row; a str of one letter is a kind without a value, bytes are text."""
    written = [
        v.encode() if isinstance(v, str) else b"t" + struct.pack(">I", len(v)) + v for v in values
    ]
    return struct.pack(">H", len(values)) + b"".join(written)


def test_messages() -> None:
    table = struct.pack(">I", 7)
    assert decode(b"B" + struct.pack(">QqI", 2**33, 1, 5)) == Begin(2**33, 946684800000001, 5)
    assert decode(b"C\0" + struct.pack(">QQq", 1, 2, 3)) == Commit(2)
    assert decode(b"I" + table + b"N" + row(b"1", "n", "u", b"")) == Insert(
        7, [b"1", None, ABSENT, b""]
    )
    binary = b"\0\x01b" + struct.pack(">I", 4) + b"\0\0\0\x05"
    assert decode(b"I" + table + b"N" + binary) == Insert(7, [b"\0\0\0\x05"])
    new = b"N" + row(b"2")
    assert decode(b"U" + table + new) == Update(7, None, False, [b"2"])
    assert decode(b"U" + table + b"K" + row(b"1") + new) == Update(7, [b"1"], False, [b"2"])
    assert decode(b"U" + table + b"O" + row(b"1") + new) == Update(7, [b"1"], True, [b"2"])
    assert decode(b"D" + table + b"K" + row(b"1", "n")) == Delete(7, [b"1", None], False)
    assert decode(b"D" + table + b"O" + row(b"1")) == Delete(7, [b"1"], True)
    assert decode(b"T" + struct.pack(">IBII", 2, 0, 7, 8)) == Truncate((7, 8))
    columns = b"\1id\0" + struct.pack(">Ii", 23, -1) + b"\0\xc3\xa4\0" + struct.pack(">Ii", 1700, 9)
    assert decode(b"R" + table + b"s\0t\0f" + struct.pack(">H", 2) + columns) == Relation(
        7, "s", "t", "f", (RelationColumn("id", True, 23, -1), RelationColumn("ä", False, 1700, 9))
    )
    for silent in (b"Y....", b"O....", b"M...."):
        assert decode(silent) is None
    with pytest.raises(SyncError, match="unknown kind"):
        decode(b"S")


def test_places_in_the_log() -> None:
    assert lsn_number("16/B374D848") == 0x16B374D848
    assert lsn_text(0x16B374D848) == "16/B374D848"
    assert lsn_text(lsn_number("0/0")) == "0/0"


@pytest.mark.parametrize(
    ("xid", "snapshot", "seen"),
    [
        (9, "10:20:", True),
        (10, "10:20:10,15", False),
        (12, "10:20:10,15", True),
        (20, "10:20:", False),
        # The numbers of the log have 32 bits.
        (4294967290, "4294967296:4294967300:", True),
        (1, "4294967296:4294967300:4294967297", False),
        (2, "4294967296:4294967300:4294967297", True),
        (5, "4294967290:4294967295:", False),
    ],
)
def test_what_a_snapshot_sees(xid: int, snapshot: str, seen: bool) -> None:
    assert is_visible(xid, snapshot) is seen


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("{}", "INTEGER[]", []),
        ("{1,NULL,3}", "INTEGER[]", [1, None, 3]),
        ("[0:1]={1,2}", "SMALLINT[]", [1, 2]),
        (
            r'{a,"b,c",NULL,"NULL","q\"{}\\x",""}',
            "VARCHAR[]",
            ["a", "b,c", None, "NULL", 'q"{}\\x', ""],
        ),
        ("{{1,2},{3,4}}", "BIGINT[][]", [[1, 2], [3, 4]]),
        ('{"\\\\x00ff",NULL}', "BLOB[]", [b"\0\xff", None]),
        ("{t,f}", "BOOLEAN[]", [True, False]),
        (
            "-1 years -2 mons +3 days -04:05:06.5",
            "INTERVAL",
            "-1 year -2 months 3 days -04:05:06.5",
        ),
        ("0044-03-15 12:00:00 BC", "TIMESTAMP", "0044-03-15 (BC) 12:00:00"),
        ("4713-01-01 BC", "DATE", "4713-01-01 (BC)"),
        ("NaN", "DECIMAL(5,2)", None),
        ("(1.5,-2)", "STRUCT(x DOUBLE, y DOUBLE)", {"x": 1.5, "y": -2.0}),
    ],
)
def test_texts(text: str, type_: str, value: object) -> None:
    depth = type_.count("[]")
    given = array_json(text.encode(), depth).decode() if depth else text
    made = from_text("v", type_)
    if type_ in ("DATE", "TIMESTAMP", "INTERVAL"):
        made = f"CAST({made} AS VARCHAR)"
    with duckdb.connect() as con:
        got = con.execute(f"SELECT {made} FROM (SELECT $v AS v)", {"v": given}).fetchone()
    assert got == (value,)


def test_an_array_of_other_depth() -> None:
    for text, depth in ((b"{{1}}", 1), (b"{1}", 2)):
        with pytest.raises(SyncError, match="other dimensions"):
            array_json(text, depth)
