"""SQL blocks on a real PostgreSQL: templates, tables, types, errors, and what they may not reach."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.servers import SessionServers, database_name
from workers.pipelines.calls import BlockResult, Input, Upstream
from workers.pipelines.sql.names import literal

PASSWORD = "canary-of-the-password"


class Sql:
    """Runs SQL blocks of pipeline `p` against one database."""

    def __init__(self, bench: Any, url: str) -> None:
        self.bench = bench
        self.url = url

    async def run(self, sql: str, **parts: Any) -> BlockResult:
        configuration = {
            "data_provider": "postgres",
            "export_write_policy": "replace",
            **parts.pop("configuration", {}),
        }
        kwargs = {"pipeline_uuid": "p", **parts.pop("kwargs", {})}
        given = {"language": "sql", "block_uuid": "b", "warehouse_url": self.url, **parts}
        return await self.bench.run(sql, configuration=configuration, kwargs=kwargs, **given)

    async def frame(self, sql: str, **parts: Any) -> Any:
        return self.bench.read(await self.run(sql, **parts))

    async def raw(self, sql: str, **parts: Any) -> BlockResult:
        return await self.run(sql, **{"configuration": {"use_raw_sql": True}, **parts})


@pytest.fixture(scope="module")
def warehouse(session_servers: SessionServers) -> Iterator[str]:
    """A database of a role of its own, as the built-in warehouse is."""
    role = f"blocks_{secrets.token_hex(4)}"
    url = session_servers.create_database()
    name = database_name(url)
    session_servers.superuser(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    session_servers.superuser(f"ALTER DATABASE {name} OWNER TO {role}")
    yield f"postgresql+asyncpg://{role}:{PASSWORD}@/{name}?{url.partition('?')[2]}"
    session_servers.drop_database(url)
    session_servers.superuser(f"DROP ROLE {role}")


@pytest.fixture
async def database(warehouse: str) -> AsyncIterator[AsyncConnection]:
    """A connection to the warehouse, which is empty again afterwards."""
    engine = create_async_engine(warehouse, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()


@pytest.fixture
def sql(bench: Any, warehouse: str, database: AsyncConnection) -> Sql:
    return Sql(bench, warehouse)


async def rows(database: AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.execute(text(query))]


async def test_result_is_saved_in_the_blocks_table_and_handed_on(
    sql: Sql, database: AsyncConnection
) -> None:
    frame = await sql.frame("SELECT 1 AS n, 'a' AS s -- done;\n;")
    assert frame.to_dict("records") == [{"n": 1, "s": "a"}]
    assert await rows(database, "SELECT * FROM public.p_b") == [(1, "a")]
    assert sql.bench.lines == ["The result of the query is saved in public.p_b (replace)."]


@pytest.mark.parametrize("kind", ["data_loader", "transformer", "data_exporter", "custom"])
async def test_every_type_of_block_may_be_sql(sql: Sql, kind: str) -> None:
    assert len(await sql.frame("SELECT 1 AS n", block_type=kind)) == 1


async def test_without_configuration_the_built_in_database_is_used(bench: Any, sql: Sql) -> None:
    value = await bench.value("SELECT 5 AS n", language="sql", warehouse_url=sql.url)
    assert value["n"].tolist() == [5]


async def test_write_policies(sql: Sql, database: AsyncConnection) -> None:
    async def saved(policy: str, n: int) -> BlockResult:
        configuration = {"export_write_policy": policy, "data_provider_table": "numbers"}
        return await sql.run(f"SELECT {n} AS n", configuration=configuration)

    assert (await saved("fail", 1)).ok
    appended = sql.bench.read(await saved("append", 2))
    assert appended["n"].tolist() == [2]
    assert await rows(database, "SELECT n FROM numbers ORDER BY n") == [(1,), (2,)]
    refused = await saved("fail", 3)
    assert refused.error == "Table public.numbers already exists, and the write policy is fail."
    assert (await saved("replace", 4)).ok
    assert await rows(database, "SELECT n FROM numbers") == [(4,)]
    wrong = await saved("merge", 5)
    assert wrong.error == "'merge' is no write policy. There are: append, replace, fail."


async def test_query_may_read_the_table_that_it_replaces(
    sql: Sql, database: AsyncConnection
) -> None:
    await sql.frame("SELECT 1 AS n")
    await sql.frame("SELECT n + 1 AS n FROM p_b")
    assert await rows(database, "SELECT n FROM p_b") == [(2,)]


async def test_append_fits_columns_by_name_and_casts(sql: Sql, database: AsyncConnection) -> None:
    await database.execute(text("CREATE TABLE t (s text, d date, n smallint)"))
    configuration = {"data_provider_table": "t", "export_write_policy": "append"}
    await sql.frame("SELECT 5::bigint AS n, '2026-01-02' AS d", configuration=configuration)
    assert await rows(database, "SELECT s, d, n FROM t") == [(None, date(2026, 1, 2), 5)]
    wrong = await sql.run("SELECT 1 AS other", configuration=configuration)
    assert wrong.error == "Table public.t has no column other."


async def test_schema_and_odd_names_are_quoted(sql: Sql, database: AsyncConnection) -> None:
    configuration = {"data_provider_schema": "My Schema", "data_provider_table": "select"}
    await sql.frame('SELECT 1 AS "order", 2 AS "Größe ""x"""', configuration=configuration)
    assert await rows(database, 'SELECT "order", "Größe ""x""" FROM "My Schema"."select"') == [
        (1, 2)
    ]
    plain = {"data_provider_schema": "Sales", "data_provider_table": "Orders"}
    await sql.frame("SELECT 1 AS n", configuration=plain)
    assert await rows(database, "SELECT n FROM Sales.Orders") == [(1,)]
    for schema in ('"My Schema"', "sales"):
        await database.execute(text(f"DROP SCHEMA {schema} CASCADE"))


async def test_limit_bounds_the_output_and_not_the_table(
    sql: Sql, database: AsyncConnection
) -> None:
    query = "SELECT generate_series(1, 5) AS n"
    frame = await sql.frame(query, configuration={"limit_in_pipeline_run": 2})
    assert (len(frame), await rows(database, "SELECT count(*) FROM p_b")) == (2, [(5,)])
    cut = "The output is cut to 2 rows, the limit of this block's configuration."
    assert (sql.bench.logs[-1].level, sql.bench.lines[-1]) == ("WARNING", cut)
    raw = {"limit_in_pipeline_run": "3", "use_raw_sql": True}
    assert len(await sql.frame(query, configuration=raw)) == 3
    # What Mage's editor writes into new blocks is for the editor.
    assert len(await sql.frame(query, configuration={"limit": 2})) == 5
    assert "cut" not in sql.bench.lines[-1]
    wrong = await sql.run(query, configuration={"limit_in_pipeline_run": "many"})
    assert "must be a whole number above 0, not 'many'" in wrong.error


async def test_types_arrive(sql: Sql) -> None:
    frame = await sql.frame(
        """
        SELECT * FROM (VALUES
            (1, 1::int, 9007199254740993, 1.5::float8, 12345678901234567890.123456789::numeric,
             true, true, 'x', '2026-01-02 03:04:05.000006'::timestamp,
             '2026-01-02 03:04:05+02'::timestamptz, '2026-01-02'::date, '03:04:05'::time,
             '1 day 2 seconds'::interval, '{"a": [1, null]}'::jsonb, '[1]'::json,
             '\\x00ff'::bytea, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, ARRAY[1, 2],
             '10.0.0.1'::inet, '[1,5)'::int4range),
            (2, null, null, null, null, false, null, null, null, null, null, null, null, null,
             null, null, null, null, null, null)
        ) AS t (i, inull, big, f, num, b, bnull, s, ts, tz, d, t, iv, jb, j, by, u, arr, net, r)
        """
    )
    assert frame.dtypes.astype(str).to_dict() | {"s": "", "u": ""} == {
        "i": "int64",
        "inull": "Int64",
        "big": "Int64",
        "f": "float64",
        "num": "object",
        "b": "bool",
        "bnull": "boolean",
        "s": "",
        "ts": "datetime64[us]",
        "tz": "datetime64[us, UTC]",
        "d": "object",
        "t": "object",
        "iv": "timedelta64[us]",
        "jb": "object",
        "j": "object",
        "by": "object",
        "u": "",
        "arr": "object",
        "net": "object",
        "r": "object",
    }
    first, second = frame.to_dict("records")
    assert first == {
        "i": 1,
        "inull": 1,
        "big": 9007199254740993,
        "f": 1.5,
        "num": Decimal("12345678901234567890.123456789"),
        "b": True,
        "bnull": True,
        "s": "x",
        "ts": pd.Timestamp("2026-01-02 03:04:05.000006"),
        "tz": pd.Timestamp("2026-01-02 01:04:05", tz="UTC"),
        "d": date(2026, 1, 2),
        "t": time(3, 4, 5),
        "iv": pd.Timedelta(days=1, seconds=2),
        "jb": {"a": [1, None]},
        "j": [1],
        "by": b"\x00\xff",
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "arr": [1, 2],
        "net": "10.0.0.1",
        "r": "[1,5)",
    }
    assert all(pd.isna(second[name]) for name in second if name not in ("i", "b"))


async def test_rarer_types_arrive_as_plain_values(sql: Sql) -> None:
    await sql.raw("CREATE TYPE mood AS ENUM ('ok'); CREATE TYPE pair AS (a int, b text)")
    frame = await sql.frame(
        """
        SELECT 'ok'::mood AS mood, (1, 'x')::pair AS pair, ARRAY[1, 2] AS arr,
               ARRAY['{"a": 1}'::jsonb] AS docs, point(1, 2) AS p, B'101' AS bits,
               '03:04:05+02'::timetz AS t, 'infinity'::numeric AS inf, '1.5'::money AS m,
               int4range(1, 1) AS empty, '10.0.0.0/8'::cidr AS net, 'a'::"char" AS c
        FROM generate_series(1, 2)
        """
    )
    first, second = frame.to_dict("records")
    assert first == second
    assert first == {
        "mood": "ok",
        "pair": {"a": 1, "b": "x"},
        "arr": [1, 2],
        "docs": [{"a": 1}],
        "p": [1.0, 2.0],
        "bits": "101",
        "t": "03:04:05+02:00",
        "inf": Decimal("Infinity"),
        "m": "$1.50",
        "empty": "empty",
        "net": "10.0.0.0/8",
        "c": "a",
    }
    await sql.raw("DROP TABLE p_b; DROP TYPE mood; DROP TYPE pair")


async def test_what_a_database_cannot_hold_is_rounded_or_refused(sql: Sql) -> None:
    times = pd.DataFrame({"at": pd.to_datetime(["2026-01-01 00:00:00.123456789"])})
    got = await sql.frame("SELECT * FROM {{ df_1 }}", upstream=(times,))
    assert got["at"].tolist() == [pd.Timestamp("2026-01-01 00:00:00.123456")]
    assert sql.bench.lines[:-1] == []
    empty = await sql.run("SELECT * FROM {{ df_1 }}", upstream=(pd.DataFrame(),))
    assert empty.error.endswith("has no columns and cannot be a table.")
    far = await sql.run("SELECT '4000-01-01 BC'::date AS d")
    assert not far.ok and "driver reports" in far.error


async def test_query_without_rows_gives_a_frame_with_its_columns(sql: Sql) -> None:
    frame = await sql.frame("SELECT 1 AS n, now() AS at, '{}'::jsonb AS j WHERE false")
    assert (list(frame.columns), len(frame)) == (["n", "at", "j"], 0)


async def test_frame_survives_the_way_through_the_database(sql: Sql) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "opt": pd.array([1, None], dtype="Int64"),
            "f": [1.5, None],
            "s": ["a;'\"\\", None],
            "b": [True, False],
            "bopt": pd.array([True, None], dtype="boolean"),
            "ts": pd.to_datetime(["2026-01-01 01:02:03.000004", None]).astype("datetime64[us]"),
            "tz": pd.to_datetime(["2026-01-01", None])
            .tz_localize("UTC")
            .astype("datetime64[us, UTC]"),
            "iv": pd.to_timedelta(["1s", None]).astype("timedelta64[us]"),
            "d": pd.Series([date(2026, 1, 2), None], dtype=object),
            "num": pd.Series([Decimal("0.10"), None], dtype=object),
            "by": pd.Series([b"x", None], dtype=object),
            "j": pd.Series([{"a": [1]}, None], dtype=object),
            "t": pd.Series([time(1, 2), None], dtype=object),
        }
    )
    arrived = await sql.frame(
        "SELECT * FROM {{ df_1 }} ORDER BY i",
        upstream=(frame,),
        configuration={"use_raw_sql": True},
    )
    pd.testing.assert_frame_equal(arrived, frame)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"a": 1, "b": "x"}, {"a": 2}], [(1, "x"), (2, None)]),
        ({"a": 1}, [(1,)]),
        ([[1, 2, 3]], [(1,), (2,), (3,)]),
        ("text", [("text",)]),
        ([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})], [(1,), (2,)]),
        (pd.DataFrame({"Order ID": [1], "select": [2]}), [(1, 2)]),
        (pd.Series([1, 2], name="n"), [(1,), (2,)]),
        (pd.DataFrame({"c": pd.Categorical(["x", None])}), [("x",), (None,)]),
        (pd.DataFrame({"big": pd.Series([2**70, 1], dtype=object)}), [(2**70,), (1,)]),
        (pd.DataFrame({"mixed": pd.Series([1, "a"], dtype=object)}), [("1",), ("a",)]),
    ],
    ids=[
        "records",
        "dict",
        "list",
        "text",
        "frames",
        "names",
        "series",
        "categories",
        "big",
        "mix",
    ],
)
async def test_outputs_of_python_blocks_become_tables(
    sql: Sql, database: AsyncConnection, value: Any, expected: list[Any]
) -> None:
    await sql.frame("SELECT * FROM {{ df_1 }}", upstream=(value,))
    assert await rows(database, "SELECT * FROM p_b") == expected


async def test_names_of_upstream_columns_are_made_plain(sql: Sql) -> None:
    frame = pd.DataFrame({"Order ID": [1], "userName": ["u"], "select": [2]})
    got = await sql.frame('SELECT order_id, userName, "select" FROM {{ df_1 }}', upstream=(frame,))
    assert list(got.columns) == ["order_id", "username", "select"]


async def test_several_upstreams_and_their_names(sql: Sql) -> None:
    query = "SELECT a.n + b.n AS n FROM {{ df_1 }} a, {{df_2}} b, p_right c"
    frames = (pd.DataFrame({"n": [1]}), pd.DataFrame({"n": [10]}))
    known = (Upstream("left"), Upstream("right"))
    got = await sql.frame(query, inputs=tuple(map(sql.bench.given, frames)), upstream_blocks=known)
    assert got["n"].tolist() == [11]


async def test_upstream_that_has_nothing_or_is_not_there(sql: Sql) -> None:
    empty = await sql.run("SELECT * FROM {{ df_1 }}", upstream=(None,))
    assert empty.error == "Block upstream_1 has no output that could be a table."
    missing = await sql.run("SELECT * FROM {{ df_2 }}", upstream=(1,))
    assert missing.error == "There is no df_2: this block has 1 upstream blocks."


async def test_upstream_sql_block_of_the_same_connection_is_its_table(
    sql: Sql, database: AsyncConnection
) -> None:
    configuration = {"data_provider": "postgres", "data_provider_schema": "other"}
    first = await sql.run("SELECT 7 AS n", block_uuid="a", configuration=configuration)
    await database.execute(text("INSERT INTO other.p_a VALUES (8)"))
    parts = {
        "inputs": (Input((first.outputs,)),),
        "upstream_blocks": (Upstream("a", "sql", configuration),),
    }
    got = await sql.frame("SELECT sum(n) AS n FROM {{ df_1 }}", **parts)
    assert got["n"].tolist() == [15]
    raw = {
        "inputs": (Input((first.outputs,)),),
        "upstream_blocks": (Upstream("a", "sql", {"use_raw_sql": 1}),),
    }
    assert (await sql.frame("SELECT n FROM {{ df_1 }}", **raw))["n"].tolist() == [7]
    await database.execute(text("DROP SCHEMA other CASCADE"))


async def test_template_sees_variables_environment_and_secrets(sql: Sql) -> None:
    got = await sql.frame(
        """
        SELECT '{{ city }}' AS city, '{{ variables("city") }}' AS same, '{{ env_var("E") }}' AS env,
               '{{ mage_secret_var("s") }}' AS secret, '{{ execution_date }}'::timestamptz AS at,
               '{{ ds }}' AS ds, '{{ block_output("up")["n"] }}' AS out
        {% if missing is defined %} never {% endif %}
        """,
        kwargs={"city": "Ulm"},
        env={"E": "of env"},
        secrets={"s": "hush"},
        execution_date=datetime(2026, 1, 2, tzinfo=UTC),
        inputs=(sql.bench.given({"n": 3}),),
        upstream_blocks=(Upstream("up"),),
    )
    assert got.to_dict("records") == [
        {
            "city": "Ulm",
            "same": "Ulm",
            "env": "of env",
            "secret": "hush",
            "at": pd.Timestamp("2026-01-02", tz="UTC"),
            "ds": "2026-01-02",
            "out": "3",
        }
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT {{ nope }}", "The template cannot be filled in: 'nope' is undefined"),
        ("SELECT\n{{ 1 +", "The template is wrong in line 2: "),
        ("{{ env_var('NOPE') }}", "The environment of blocks has no variable NOPE."),
        ("{{ mage_secret_var('x') }}", "This project has no secret x."),
        ("{{ ().__class__.__mro__ }}", "The template cannot be filled in: access to attribute"),
        ("{{ block_output('z') }}", "Block z is no upstream block of this one."),
        ("{{ block_output(parse=1) }}", "The template cannot be filled in: TypeError"),
        ("{{ 1 / 0 }}", "The template cannot be filled in: ZeroDivisionError"),
    ],
)
async def test_wrong_templates_are_explained(sql: Sql, query: str, told: str) -> None:
    result = await sql.run(query)
    assert result.error.startswith(told)
    assert result.traceback is None


async def test_raw_statements_run_in_one_transaction(sql: Sql, database: AsyncConnection) -> None:
    script = """
        CREATE TABLE t (s text); -- one; comment
        INSERT INTO t VALUES ('a;b'), ($$c;'d$$), (E'e\\';f'); /* ; /* ; */ ; */
        CREATE FUNCTION twice(n int) RETURNS int BEGIN ATOMIC
            SELECT CASE WHEN n > 0 THEN n * 2 ELSE 0 END;
        END;
        SELECT s, twice(2) AS n FROM t ORDER BY s;
    """
    got = sql.bench.read(await sql.raw(script))
    assert got.to_dict("list") == {"s": ["a;b", "c;'d", "e';f"], "n": [4, 4, 4]}
    failed = await sql.raw("INSERT INTO t VALUES ('x');\n\nSELECT s,\n  nope FROM t;\nSELECT 1")
    assert failed.error == (
        'column "nope" does not exist (42703), in statement 2 of 3, line 4, column 3: nope FROM t;'
    )
    assert await rows(database, "SELECT count(*) FROM t") == [(3,)]


async def test_notices_of_the_server_are_lines_of_the_log(sql: Sql) -> None:
    await sql.raw("DO $$ BEGIN RAISE NOTICE 'seen %', 1; END $$; DROP TABLE IF EXISTS nope")
    assert sql.bench.lines == ["seen 1", 'table "nope" does not exist, skipping']


async def test_raw_without_a_last_select_has_no_output(sql: Sql) -> None:
    result = await sql.raw("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    assert (result.ok, result.outputs) == (True, ())
    returned = sql.bench.read(await sql.raw("INSERT INTO t VALUES (2) RETURNING n, n"))
    assert [list(returned.columns), returned.to_numpy().tolist()] == [["n", "n"], [[2, 2]]]


async def test_raw_script_with_its_own_transaction_and_vacuum(
    sql: Sql, database: AsyncConnection
) -> None:
    script = "BEGIN; CREATE TABLE t (n int); COMMIT; BEGIN; DROP TABLE t; ROLLBACK; SELECT 1 AS n"
    assert sql.bench.read(await sql.raw(script))["n"].tolist() == [1]
    assert (await sql.raw("VACUUM t")).ok
    assert await rows(database, "SELECT * FROM t") == []


async def test_errors_tell_the_databases_message_and_place(sql: Sql) -> None:
    syntax = await sql.run("\nSELECT 1 AS a,\n  FROM x")
    assert syntax.error == 'syntax error at or near "FROM" (42601), in line 3, column 3: FROM x'
    assert (syntax.error_type, syntax.reason, syntax.traceback) == ("BlockError", None, None)
    hint = await sql.run("SELECT nam FROM (SELECT 1 AS name) t")
    assert 'Hint: Perhaps you meant to reference the column "t.name".' in hint.error
    two = await sql.run("SELECT 1; SELECT 2")
    assert "These are 2 statements." in two.error
    none = await sql.raw("-- nothing")
    assert none.error == "The block holds no SQL statement."
    wide = await sql.run("SELECT 'infinity'::date - 'x'::date AS n")
    assert 'invalid input syntax for type date: "x" (22007)' in wide.error


async def test_providers_that_are_not_there_are_named(sql: Sql) -> None:
    result = await sql.run("SELECT 1", configuration={"data_provider": "snowflake"})
    assert result.reason == "unsupported"
    assert result.error == (
        "SQL blocks with data_provider snowflake are not supported. Supported: postgres, duckdb."
    )


async def test_hundred_thousand_rows_go_there_and_back(sql: Sql) -> None:
    count = 100_000
    frame = pd.DataFrame(
        {
            "n": range(count),
            "f": [n / 7 for n in range(count)],
            "s": [f"row {n}" for n in range(count)],
        }
    )
    got = await sql.frame("SELECT * FROM {{ df_1 }}", upstream=(frame,))
    pd.testing.assert_frame_equal(got.sort_values("n", ignore_index=True), frame)


async def test_concurrent_blocks_create_one_table_in_turn(
    sql: Sql, database: AsyncConnection
) -> None:
    configuration = {"export_write_policy": "append", "data_provider_schema": "fresh"}
    query = "SELECT generate_series(1, 10) AS n"
    results = await asyncio.gather(
        *(sql.run(query, configuration=configuration, step_id=n + 1) for n in range(4))
    )
    assert [result.error for result in results] == [None] * 4
    assert await rows(database, "SELECT count(*) FROM fresh.p_b") == [(40,)]
    await database.execute(text("DROP SCHEMA fresh CASCADE"))


@pytest.mark.parametrize("end", ["cancel", "timeout"])
async def test_query_of_a_killed_block_ends_on_the_server(
    sql: Sql, database: AsyncConnection, end: str
) -> None:
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE query LIKE '%pg_sleep(333)%' AND pid <> pg_backend_pid()"
    )

    async def until(count: int) -> None:
        async with asyncio.timeout(20):
            # A view of the server: there is nothing to wait on.
            while (await rows(database, sleeping)) != [(count,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    limit = 3.0 if end == "timeout" else None
    task = asyncio.create_task(sql.raw("SELECT pg_sleep(333)", timeout_s=limit))
    await until(1)
    if end == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert (await task).reason == "timeout"
    await until(0)


@pytest.mark.parametrize("conforming", ["on", "off"])
async def test_literals_are_read_as_the_values_that_they_were(
    database: AsyncConnection, conforming: str
) -> None:
    dice = random.Random(7)
    texts = ["".join(dice.choices("'\\\"$%;-:/*\n aE\u00fc", k=12)) for _ in range(500)]
    await database.exec_driver_sql(f"SET standard_conforming_strings = {conforming}")
    found = await database.exec_driver_sql(f"SELECT {literal(texts)}")
    assert found.scalar() == texts
    await database.exec_driver_sql("RESET standard_conforming_strings")


# Connections by profile


@pytest.fixture
async def port(session_servers: SessionServers) -> AsyncIterator[int]:
    """A TCP port in front of the session's PostgreSQL, which itself has a socket only."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = Path(session_servers.urls.database_url.partition("host=")[2].partition("&")[0])
        there, back = await asyncio.open_unix_connection(folder / ".s.PGSQL.5432")
        for pair in ((reader, back), (there, writer)):
            tasks.add(asyncio.create_task(copy(*pair)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()


def write_profile(sql: Sql, text: str) -> None:
    (sql.bench.project / "io_config.yaml").write_text(text)


async def test_profile_of_io_config_with_secrets_and_environment(sql: Sql, port: int) -> None:
    role = sql.url.partition("//")[2].partition(":")[0]
    write_profile(
        sql,
        f"""
version: 0.1.1
default:
  POSTGRES_HOST: nowhere.invalid
  POSTGRES_DBNAME: d
  POSTGRES_USER: u
mine:
  POSTGRES_HOST: localhost
  POSTGRES_PORT: {port}
  POSTGRES_USER: "{{{{ env_var('DB_USER') }}}}"
  POSTGRES_PASSWORD: {{{{ mage_secret_var('db') }}}}
  POSTGRES_DBNAME: {database_name(sql.url)}
  POSTGRES_SCHEMA: special
""",
    )
    parts = {"env": {"DB_USER": role}, "secrets": {"db": PASSWORD}, "warehouse_url": None}
    configuration = {"data_provider_profile": "mine"}
    got = await sql.frame("SELECT current_user::text AS u", configuration=configuration, **parts)
    assert got["u"].tolist() == [role]
    assert "public" not in sql.bench.lines[-1] and "special.p_b" in sql.bench.lines[-1]
    lost = await sql.run("SELECT 1", **parts)
    assert lost.error == "The host nowhere.invalid cannot be resolved."
    unknown = await sql.run("SELECT 1", configuration={"data_provider_profile": "x"}, **parts)
    assert unknown.error == "io_config.yaml has no profile x. It has: default, mine."
    await sql.raw("DROP SCHEMA special CASCADE")


@pytest.mark.parametrize("profile", ["default: {warehouse: true}", "default: {AWS_REGION: x}"])
async def test_profile_without_a_host_means_the_built_in_database(sql: Sql, profile: str) -> None:
    write_profile(sql, profile)
    assert len(await sql.frame("SELECT 1 AS n")) == 1
    other = await sql.run("SELECT 1", configuration={"data_provider_database": "isthmus"})
    assert "isthmus is not reachable" in other.error
    none = await sql.run("SELECT 1", warehouse_url=None)
    assert none.error.startswith("No database is configured: add POSTGRES_HOST")


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("/run/postgresql", "not a socket path"),
        ("@abstract", "not a socket path"),
        ("a,/tmp", "not a socket path"),
        ("169.254.169.254", "is refused"),
        ("::ffff:169.254.169.254", "is refused"),
        ("0.0.0.0", "is refused"),
        ("224.0.0.1", "is refused"),
        ("fe80::1", "is refused"),
        ("2852039166", "is refused"),
    ],
)
async def test_hosts_that_no_block_may_reach(sql: Sql, host: str, told: str) -> None:
    write_profile(
        sql, f"default: {{POSTGRES_HOST: '{host}', POSTGRES_DBNAME: d, POSTGRES_USER: u}}"
    )
    result = await sql.run("SELECT 1")
    assert told in result.error


async def test_sockets_and_files_cannot_be_named_by_other_keys(
    sql: Sql, session_servers: SessionServers
) -> None:
    folder = session_servers.urls.database_url.partition("host=")[2].partition("&")[0]
    write_profile(
        sql,
        "default: {POSTGRES_HOST: 127.0.0.1, POSTGRES_PORT: 1, POSTGRES_DBNAME: isthmus, "
        f"POSTGRES_USER: 'isthmus?host={folder}', host: {folder}, service: x, passfile: /x}}",
    )
    env = {"PGHOST": folder, "PGPASSFILE": "/x", "PGSERVICE": "x", "PGSSLROOTCERT": "/x"}
    result = await sql.run("SELECT 1", env=env)
    assert result.error == "Cannot connect to 127.0.0.1:1: Connection refused."


async def test_no_credential_leaves_by_errors_logs_or_outputs(sql: Sql, port: int) -> None:
    canary = "c4nary'\"\\:#{}"
    texts: list[str] = []

    def profile(**changed: Any) -> str:
        keys = {"HOST": "127.0.0.1", "PORT": port, "DBNAME": "x", "USER": "isthmus"} | changed
        return "default:\n" + "".join(f"  POSTGRES_{k}: {v}\n" for k, v in keys.items())

    secret = "{{ mage_secret_var('db') }}"
    for content in (
        profile(PASSWORD=secret),
        profile(PASSWORD=secret, PORT=secret),
        profile(PASSWORD=secret, CONNECT_TIMEOUT=secret),
        profile(PASSWORD="\"{{ env_var('W') }}\""),
        "default: {POSTGRES_PASSWORD: c4nary'\"\\:#{}\n  x",
        "default: c4nary {{ nope( }}",
    ):
        write_profile(sql, content)
        result = await sql.run("SELECT 1", secrets={"db": canary}, env={"W": canary})
        assert not result.ok
        texts.append(repr(result))
    (sql.bench.project / "io_config.yaml").unlink()
    for query in ("SELECT {{ mage_secret_var('q') }}", "SELECT '{{ mage_secret_var('q') }}'::int"):
        result = await sql.run(query, secrets={"q": "c4nary_of_query"})
        assert not result.ok
        texts.append(repr(result))
    assert "***" in texts[-1]
    everything = "\n".join([*texts, *sql.bench.lines])
    assert "c4nary" not in everything
    assert PASSWORD not in everything
