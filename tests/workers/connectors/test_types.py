"""What destinations keep of types, and how tables may change."""

import pytest

from workers.connectors.base import Column, SyncError
from workers.connectors.partitions import partition_columns
from workers.connectors.types import evolve, plain, wider


@pytest.mark.parametrize(
    ("have", "come", "result"),
    [
        ("INTEGER", "BIGINT", "BIGINT"),
        ("BIGINT", "SMALLINT", "BIGINT"),
        ("FLOAT", "DOUBLE", "DOUBLE"),
        ("DOUBLE", "INTEGER", "DOUBLE"),
        ("DOUBLE", "BIGINT", None),
        ("DECIMAL(10,2)", "DECIMAL(12,4)", "DECIMAL(12,4)"),
        ("DECIMAL(10,2)", "DECIMAL(8,4)", "DECIMAL(12,4)"),
        ("DECIMAL(38,0)", "DECIMAL(38,10)", None),
        ("VARCHAR", "UUID", "VARCHAR"),
        ("INTEGER", "VARCHAR", None),
        ("DATE", "TIMESTAMP", None),
        ("INTEGER[]", "INTEGER[][]", "INTEGER[]"),
        ("INTEGER[]", "VARCHAR[]", None),
    ],
)
def test_widening(have: str, come: str, result: str | None) -> None:
    assert wider(have, come) == result


def test_columns_that_no_longer_come_stay() -> None:
    have = [Column("a", "INTEGER"), Column("b", "VARCHAR")]
    come = [Column("c", "DATE"), Column("a", "BIGINT")]
    assert evolve("t", have, come) == (
        Column("a", "BIGINT"),
        Column("b", "VARCHAR"),
        Column("c", "DATE"),
    )
    with pytest.raises(SyncError, match="Column a of t has type INTEGER"):
        evolve("t", have, [Column("a", "DATE")])


def test_plain_types() -> None:
    assert plain("ENUM('a', 'b[]')") == "VARCHAR"
    assert plain("STRUCT(x INTEGER)[]") == "VARCHAR[]"
    assert plain("UBIGINT") == "DECIMAL(20,0)"
    assert plain("TIMESTAMP WITH TIME ZONE") == "TIMESTAMP WITH TIME ZONE"
    assert plain("INTEGER[3]") == "VARCHAR"


def test_partition_templates() -> None:
    assert partition_columns("") == []
    month, city = partition_columns("/{at,'',YYYY}-{at,'',MM}/{city,'none',''}")
    assert month.count("strftime") == 2 and city.startswith('coalesce(CAST("city"')
    assert partition_columns("/{city,''}/x") == ["''", "'x'"]
    assert '"_olake_timestamp"' in partition_columns("/{now(),'',DD}")[0]
    with pytest.raises(SyncError, match="granularity QQ"):
        partition_columns("/{at,'',QQ}")
