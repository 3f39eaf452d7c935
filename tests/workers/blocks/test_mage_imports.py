"""Pasted Mage code: the imports it begins with, and what they do, in real blocks."""

import secrets
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.servers import SessionServers, database_name
from workers.pipelines.calls import Upstream

LOADER = """
    from mage_ai.settings.repo import get_repo_path
    from mage_ai.io.config import ConfigFileLoader
    from mage_ai.io.postgres import Postgres
    from os import path
    if 'data_loader' not in globals():
        from mage_ai.data_preparation.decorators import data_loader

    @data_loader
    def load_data_from_postgres(*args, **kwargs):
        query = QUERY
        config_path = path.join(get_repo_path(), 'io_config.yaml')
        config_profile = 'default'

        with Postgres.with_config(ConfigFileLoader(config_path, config_profile)) as loader:
            return loader.load(query)
"""

EXPORTER = """
    from mage_ai.settings.repo import get_repo_path
    from mage_ai.io.config import ConfigFileLoader
    from mage_ai.io.KIND import CLASS
    from pandas import DataFrame
    from os import path

    if 'data_exporter' not in globals():
        from mage_ai.data_preparation.decorators import data_exporter

    @data_exporter
    def export_data(df: DataFrame, **kwargs) -> None:
        config_path = path.join(get_repo_path(), 'io_config.yaml')
        with CLASS.with_config(ConfigFileLoader(config_path, 'default')) as loader:
            loader.export(
                df,
                SCHEMA,
                'orders',
                index=False,
                if_exists='replace',
            )
"""

HEAD = """
from mage_ai.io.postgres import Postgres
from mage_ai.io.config import ConfigFileLoader
def connect():
    return Postgres.with_config(ConfigFileLoader())
@data_loader
def run(*args, **kwargs):
"""


@pytest.fixture(scope="module")
def warehouse(session_servers: SessionServers) -> Iterator[str]:
    """A database of a role of its own, as the built-in warehouse is."""
    role = f"shim_{secrets.token_hex(4)}"
    url = session_servers.create_database()
    name = database_name(url)
    session_servers.superuser(f"CREATE ROLE {role} LOGIN PASSWORD 'canary-word'")
    session_servers.superuser(f"ALTER DATABASE {name} OWNER TO {role}")
    yield f"postgresql+asyncpg://{role}:canary-word@/{name}?{url.partition('?')[2]}"
    session_servers.drop_database(url)
    session_servers.superuser(f"DROP ROLE {role}")


@pytest.fixture
async def block(bench: Any, warehouse: str) -> Any:
    """Runs code as the body of a block beside an empty database; gives what it returns."""

    async def run(body: str, **parts: Any) -> Any:
        lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
        return await bench.value(HEAD + lines, warehouse_url=warehouse, **parts)

    await run("with connect() as c: c.execute('DROP SCHEMA public CASCADE; CREATE SCHEMA public')")
    return run


async def test_loader_template(bench: Any, warehouse: str) -> None:
    code = LOADER.replace("QUERY", '"SELECT 1 AS n, 1.5::numeric AS num;"')
    frame = await bench.value(code, warehouse_url=warehouse)
    assert frame.to_dict("list") == {"n": [1], "num": [1.5]}


async def test_exporter_template(bench: Any, warehouse: str, block: Any) -> None:
    frame = pd.DataFrame({"Order ID": [1, 2], "order": ["a", None]}, index=[5, 6])
    code = EXPORTER.replace("KIND", "postgres").replace("CLASS", "Postgres")
    code = code.replace("SCHEMA", "'sales'")
    parts = {"block_type": "data_exporter", "warehouse_url": warehouse}
    for _ in range(2):
        assert await bench.value(code, upstream=(frame,), **parts) == []
    got = await block("return connect().load('SELECT * FROM sales.orders ORDER BY order_id')")
    assert got["order_id"].tolist() == [1, 2]
    assert got["order"].fillna("none").tolist() == ["a", "none"]
    await block("with connect() as c: c.execute('DROP SCHEMA sales CASCADE')")


async def test_duckdb_templates(bench: Any, tmp_path: Path) -> None:
    (bench.project / "io_config.yaml").write_text("default:\n  DUCKDB_DATABASE: shop.duckdb\n")
    code = EXPORTER.replace("KIND", "duckdb").replace("CLASS", "DuckDB").replace("SCHEMA", "None")
    frame = pd.DataFrame({"n": [1, 2]})
    parts = {"database_dir": tmp_path / "databases"}
    await bench.value(code, block_type="data_exporter", upstream=(frame,), **parts)
    loading = LOADER.replace("postgres import", "duckdb import").replace("Postgres", "DuckDB")
    got = await bench.value(loading.replace("QUERY", "'SELECT * FROM orders'"), **parts)
    assert got["n"].tolist() == [1, 2]
    two = await bench.run(loading.replace("QUERY", "'SELECT 1; SELECT 2'"), **parts)
    assert two.error.startswith("These are 2 statements.")


async def test_old_configuration_import(bench: Any, warehouse: str) -> None:
    code = """
        from mage_ai.io.io_config import IOConfig
        from mage_ai.io.postgres import Postgres
        @data_loader
        def load():
            with Postgres.with_config(IOConfig('io_config.yaml').use('mine')) as loader:
                return loader.load('SELECT 1 AS n')
    """
    (bench.project / "io_config.yaml").write_text("mine: {warehouse: true}")
    assert len(await bench.value(code, warehouse_url=warehouse)) == 1


async def test_statements_are_kept_by_commit_or_the_end_of_with(block: Any) -> None:
    got = await block("""
with connect() as c:
    c.execute('CREATE TABLE t (n int)')
    c.execute('INSERT INTO t VALUES (%s)', [1])
try:
    with connect() as c:
        c.execute('INSERT INTO t VALUES (2)')
        raise KeyError
except KeyError:
    pass
c = connect()
c.execute('INSERT INTO t VALUES (3)')
c.commit()
c.execute('INSERT INTO t VALUES (4)')
c.rollback()
c.execute('INSERT INTO t VALUES (5)')
c.close()
first, second = connect().execute_queries(
    ['SELECT 1', 'SELECT n FROM t ORDER BY n'], fetch_query_at_indexes=[False, True]
)
return [first, second['n'].tolist(), connect().sample('public', 't', 1)['n'].tolist()]
""")
    assert got == [None, [1, 3], [1]]


async def test_loader_works_inside_asynchronous_code_and_threads(block: Any) -> None:
    got = await block("""
import asyncio
from concurrent.futures import ThreadPoolExecutor
def load(n):
    with connect() as c:
        return int(c.load(f'SELECT {n} AS n')['n'][0])
async def main():
    return load(1)
with ThreadPoolExecutor(4) as pool:
    return [asyncio.run(main()), *pool.map(load, range(2, 6))]
""")
    assert got == [1, 2, 3, 4, 5]


async def test_forgotten_connection_holds_no_lock(block: Any) -> None:
    got = await block("""
with connect() as c:
    c.execute('CREATE TABLE t (n int)')
connect().execute('LOCK TABLE t')
connect().export([{'n': 1}], 'public', 't', if_exists='append')
return [[len(connect().load('SELECT n FROM t'))]]
""")
    assert got == [1]


async def test_parameters_are_values_and_not_statements(block: Any) -> None:
    got = await block(
        """
c = connect()
frame = c.load(
    "SELECT %(s)s AS s, %(d)s::date - 1 < '2026-01-02' AS b, 5 IN %(t)s AS i, '%%' AS p",
    params={'s': "x'; DROP TABLE t; --\\\\", 'd': '2026-01-02', 't': (4, 5)},
)
return frame.to_dict('records')
"""
    )
    assert got == {"s": "x'; DROP TABLE t; --\\", "b": True, "i": True, "p": "%"}


async def test_load_gives_floats_unless_told_otherwise_and_keeps_to_the_limit(block: Any) -> None:
    got = await block("""
c = connect()
query = 'SELECT n::numeric / 4 AS n FROM generate_series(1, 10) n;'
return [c.load(query, limit=2)['n'].tolist(), c.load(query, coerce_float=False)['n'].tolist()[0]]
""")
    assert got == [[0.25, 0.5], Decimal("0.25000000000000000000")]


async def test_export_policies_types_and_conflicts(block: Any) -> None:
    got = await block("""
import pandas as pd
from mage_ai.io.base import ExportWritePolicy
c = connect()
c.execute('CREATE TABLE t (id int PRIMARY KEY, d date)')
c.export(pd.DataFrame({'id': [1.0], 'd': ['2026-01-02']}), 'public', 't', if_exists='append')
kept = c.load("SELECT d FROM t")['d'].tolist()
c.export([{'id': 2}], 'public', 't', if_exists=ExportWritePolicy.REPLACE)
named = c.load("SELECT count(*) AS n FROM pg_indexes WHERE tablename = 't'")['n'].tolist()
rule = {'unique_constraints': ['id'], 'if_exists': 'append', 'verbose': False}
frame = pd.DataFrame({'id': [2, 3], 'd': ['2026-02-02', '2026-03-03']})
c.export(frame, 'public', 't', unique_conflict_method='UPDATE', **rule)
c.export(frame.assign(d=None), 'public', 't', unique_conflict_method='IGNORE', **rule)
updated = c.load('SELECT id, d::text FROM t ORDER BY id').values.tolist()
try:
    c.export(frame, 'public', 't', if_exists='fail')
except Exception as error:
    refused = f'{type(error).__name__}: {error}'
c.rollback()
c.export(None, 'public', 'copy', query_string='SELECT id FROM t')
return {'kept': kept, 'named': named, 'updated': updated, 'refused': refused,
        'copy': len(c.load('SELECT * FROM copy'))}
""")
    assert [str(day) for day in got["kept"]] == ["2026-01-02"]
    assert got["named"] == [1]
    assert got["updated"] == [[2, "2026-02-02"], [3, "2026-03-03"]]
    told = "Table public.t already exists, and the write policy is fail."
    assert got["refused"] == f"DatabaseError: {told}"
    assert got["copy"] == 2


async def test_errors_are_the_databases_and_hide_the_password(bench: Any, warehouse: str) -> None:
    code = HEAD + "    connect().load('SELECT nope')\n"
    result = await bench.run(code, warehouse_url=warehouse)
    assert result.error.startswith('column "nope" does not exist (42703), in line 1, column 8')
    assert "connect().load('SELECT nope')" in result.traceback
    (bench.project / "io_config.yaml").write_text(
        "default: {POSTGRES_HOST: 127.0.0.1, POSTGRES_PORT: 1, POSTGRES_USER: u, "
        "POSTGRES_DBNAME: d, POSTGRES_PASSWORD: \"{{ mage_secret_var('p') }}\"}"
    )
    lost = await bench.run(code, secrets={"p": "canary-word"})
    assert lost.error == "Cannot connect to 127.0.0.1:1: Connection refused."
    socket = HEAD + "    Postgres(host='/run', dbname='d', user='u').load('SELECT 1')\n"
    refused = await bench.run(socket)
    assert "not a socket path" in refused.error
    told = repr((result, lost, refused, bench.lines))
    assert "canary-word" not in told


async def test_configuration_files_and_environment(bench: Any) -> None:
    (bench.project / "io_config.yaml").write_text(
        "default: {A: \"{{ env_var('A') }}\", POSTGRES_HOST: h, S: \"{{ mage_secret_var('s') }}\"}"
    )
    code = """
        from mage_ai.io.config import ConfigFileLoader, ConfigKey, EnvironmentVariableLoader
        @data_loader
        def load():
            config, environment = ConfigFileLoader('io_config.yaml'), EnvironmentVariableLoader()
            try:
                ConfigFileLoader('io_config.yaml', 'nope')
            except ValueError as error:
                told = str(error)
            return {
                'a': config['A'], 'host': config[ConfigKey.POSTGRES_HOST], 's': config.get('S'),
                'in': ['A' in config, ConfigKey.POSTGRES_PORT in config], 'none': config['x'],
                'env': environment['A'], 'plain': config.config['A'], 'told': told,
            }
    """
    value = await bench.value(code, env={"A": "of env"}, secrets={"s": 'q"\\:'})
    assert value == {
        "a": "of env",
        "host": "h",
        "s": 'q"\\:',
        "in": [True, False],
        "none": None,
        "env": "of env",
        "plain": "of env",
        "told": "io_config.yaml has no profile nope. It has: default.",
    }


async def test_project_functions(bench: Any) -> None:
    code = """
        from mage_ai.settings.repo import get_repo_path
        from mage_ai.data_preparation.repo_manager import get_repo_path as other
        from mage_ai.data_preparation.shared.secrets import get_secret_value
        from mage_ai.data_preparation.variable_manager import get_global_variable, get_variable
        @data_loader
        def load(*args, **kwargs):
            try:
                get_variable('p', 'elsewhere', 'output_0')
            except LookupError as error:
                told = str(error)
            return {
                'paths': [get_repo_path(), other()],
                'secret': [get_secret_value('s'), get_secret_value('missing')],
                'variable': get_variable('p', 'up', 'output_1'),
                'global': [get_global_variable('p', 'city'), get_global_variable('p', 'no')],
                'told': told,
            }
    """
    value = await bench.value(
        code,
        kwargs={"pipeline_uuid": "p", "city": "Ulm"},
        secrets={"s": "hush"},
        inputs=(bench.given([1, {"two": 2}]),),
        upstream_blocks=(Upstream("up"),),
    )
    assert value == {
        "paths": [str(bench.project)] * 2,
        "secret": ["hush", None],
        "variable": {"two": 2},
        "global": ["Ulm", None],
        "told": "Only outputs of upstream blocks of this run can be read: up. "
        "p/elsewhere is none; make it an upstream block.",
    }
    assert bench.lines == ["This project has no secret missing."]


async def test_files(bench: Any) -> None:
    code = """
        from mage_ai.io.file import FileIO
        @data_loader
        def load():
            import pandas as pd
            frame = pd.DataFrame({'a': [1, 2]})
            for name in ('x.csv', 'x.json', 'x.parquet'):
                FileIO().export(frame, name)
            lengths = [len(FileIO().load(n)) for n in ('x.csv', 'x.json', 'x.parquet')]
            try:
                FileIO().load('x.exe')
            except ValueError as error:
                return {'lengths': lengths, 'head': len(FileIO().load('x.csv', limit=1)),
                        'told': str(error)}
    """
    assert await bench.value(code) == {
        "lengths": [2, 2, 2],
        "head": 1,
        "told": "Files of format 'exe' are not offered: csv, json, parquet are.",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "from mage_ai.io.bigquery import BigQuery",
        "import mage_ai.orchestration.triggers.api",
        "from mage_ai.io import snowflake",
        "from mage_ai.data_cleaner.transformer_actions.base import BaseAction",
    ],
)
async def test_other_modules_fail_with_what_there_is(bench: Any, statement: str) -> None:
    result = await bench.run(statement)
    assert result.error_type in ("ImportError", "ModuleNotFoundError")
    assert "is not offered here." in result.error
    assert "mage_ai.io.postgres" in result.error or "postgres" in result.error
    assert statement in result.traceback


async def test_other_names_fail_with_what_the_module_has(bench: Any) -> None:
    result = await bench.run("from mage_ai.io.base import BaseSQL")
    assert result.error_type == "ImportError"
    assert result.error == (
        "mage_ai.io.base.BaseSQL is not offered here. mage_ai.io.base has: DataSource, "
        "ExportWritePolicy, FileFormat, QUERY_ROW_LIMIT."
    )


async def test_our_modules_come_before_those_of_the_project(bench: Any) -> None:
    (bench.project / "mage_ai").mkdir()
    (bench.project / "mage_ai" / "__init__.py").write_text("raise RuntimeError")
    code = """
        import importlib.util, sys
        from mage_ai.data_preparation.decorators import data_loader
        @data_loader
        def load():
            import mage_ai.io.postgres
            return sorted(name for name in sys.modules if name.partition('.')[0] in ('workers', 'app'))
    """
    assert await bench.value(code) == []
