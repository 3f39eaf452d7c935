"""What users' code relies on: decorators, arguments, variables, tests, prints, tracebacks."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from workers.pipelines.calls import Input

GUARDED = """
    if 'data_loader' not in globals():
        from mage_ai.data_preparation.decorators import data_loader
    if 'test' not in globals():
        from mage_ai.data_preparation.decorators import test

    @data_loader
    def load_data(*args, **kwargs):
        return {}

    @test
    def test_output(output, *args) -> None:
        assert output is not None, 'The output is undefined'
"""

UNGUARDED = """
    from mage_ai.data_preparation.decorators import data_loader

    @data_loader
    def load_data(*args, **kwargs):
        return {}
"""


@pytest.mark.parametrize("code", [GUARDED, UNGUARDED], ids=["guarded", "unguarded"])
async def test_pasted_code_finds_the_decorators(bench: Any, code: str) -> None:
    assert await bench.value(code) == {}


@pytest.mark.parametrize("kind", ["data_loader", "transformer", "data_exporter", "custom"])
async def test_function_of_the_blocks_own_type_is_run(bench: Any, kind: str) -> None:
    code = """
        def helper():
            return 'helped'
        @data_loader
        def one(*args): return ['data_loader', helper()]
        @transformer
        def two(*args): return ['transformer', helper()]
        @data_exporter
        def three(*args): return ['data_exporter', helper()]
        @custom
        def four(*args): return ['custom', helper()]
    """
    assert await bench.value(code, block_type=kind) == [kind, "helped"]


@pytest.mark.parametrize("kind", ["dbt", "extension"])
async def test_type_that_cannot_run_yet_is_named(bench: Any, kind: str) -> None:
    result = await bench.run("", block_type=kind)
    assert (result.ok, result.reason) == (False, "unsupported")
    assert result.error.startswith(f"Blocks of type {kind} are not supported yet.")


async def test_other_languages_and_notes_are_refused_with_their_name(bench: Any) -> None:
    other = await bench.run("x <- 1", language="r")
    assert other.error == "Blocks of language r are not supported. Supported: python, sql."
    note = await bench.run("# Notes", block_type="markdown")
    assert note.error == "Blocks of type markdown are never run."


async def test_block_without_decorated_function_fails_with_a_remedy(bench: Any) -> None:
    result = await bench.run("def load(): pass")
    assert result.error == (
        "Block load does not have any decorated functions. Make sure that a function in the "
        "block is decorated with @data_loader."
    )
    assert result.traceback is None


async def test_upstream_values_are_positional_in_order(bench: Any) -> None:
    code = """
        @transformer
        def join(frame, number, *rest, **kwargs):
            return {'n': number, 'sum': int(frame['a'].sum()), 'rest': list(rest)}
    """
    upstream = (pd.DataFrame({"a": [1, 2]}), 5, None, ("x", "y"), [[1, 2, 3]])
    value = await bench.value(code, block_type="transformer", upstream=upstream)
    assert value == {"n": 5, "sum": 3, "rest": [[], ["x", "y"], [1, 2, 3]]}


async def test_wrong_number_of_upstreams_is_explained(bench: Any) -> None:
    code = "@transformer\ndef change(data): return data"
    missing = await bench.run(code, block_type="transformer")
    assert "may be missing upstream dependencies" in missing.error
    many = await bench.run(code, block_type="transformer", upstream=(1, 2))
    assert "expected to have 1 arguments, but received 2" in many.error


async def test_kwargs_hold_variables_and_the_documented_names(bench: Any) -> None:
    code = """
        @custom
        def show(*args, **kwargs):
            kwargs['logger'] = kwargs['logger'].name
            kwargs['has_type'] = type(kwargs['execution_date']).__name__
            return kwargs
    """
    at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    variables = {
        "env": "staging",
        "event": {"a": 1},
        "pipeline_uuid": "p",
        "pipeline_run_id": 3,
        "trigger_name": "t",
        "retry": {"attempts": 2},
        "mine": Decimal("1.5"),
        "interval_end_datetime": at,
    }
    kwargs = await bench.value(
        code,
        block_type="custom",
        block_uuid="show",
        kwargs={**variables, "block_uuid": "not mine"},
        execution_date=at,
        configuration={"c": [1]},
    )
    assert kwargs == {
        **variables,
        "block_uuid": "show",
        "execution_date": at,
        "ds": "2026-03-04",
        "hr": "05",
        "configuration": {"c": [1]},
        "context": {},
        "repo_path": str(bench.project),
        "logger": "block.show",
        "has_type": "datetime",
    }


@pytest.mark.parametrize(
    ("head", "gets"),
    [
        ("def f():\n    return [0]", 0),
        ("def f(*args):\n    return args", []),
        ("def f(city):\n    return [city]", "Ulm"),
        ("def f(*, city='?', other='o'):\n    return [city + other]", "Ulmo"),
        ("def f(data='d', **kwargs):\n    return [data + kwargs['city']]", "dUlm"),
    ],
)
async def test_function_gets_only_the_variables_that_it_takes(
    bench: Any, head: str, gets: Any
) -> None:
    assert await bench.value(f"@data_loader\n{head}", kwargs={"city": "Ulm"}) == gets


async def test_variable_named_as_the_upstream_argument_does_not_collide(bench: Any) -> None:
    code = "@transformer\ndef f(data, **kwargs): return [data, sorted(kwargs)[0]]"
    value = await bench.value(
        code, block_type="transformer", upstream=(1,), kwargs={"data": 2, "a": 3}
    )
    assert value == [1, "a"]


async def test_variable_that_is_no_data_fails_the_block_with_its_type(bench: Any) -> None:
    result = await bench.run("", kwargs={"x": object()})
    assert result.reason == "unsupported"
    assert "object" in result.error


async def test_tests_get_the_items_of_a_list_and_all_failures_are_told(bench: Any) -> None:
    code = """
        @data_loader
        def load(): return [1, 2, 3]

        @test
        def all_there(*items, **kwargs):
            assert items == (1, 2, 3) and kwargs['city'] == 'Ulm'

        @test
        def first_is_two(one, two, three):
            assert one == 2, 'not two'

        @test
        def third(one, two, three): assert three == 3
    """
    result = await bench.run(code, kwargs={"city": "Ulm"})
    assert (result.ok, result.reason) == (False, "tests")
    assert result.error == "Failed to pass tests for block load"
    assert bench.lines[0] == "FAIL: first_is_two (block: load)"
    assert bench.lines[1].endswith(
        "assert one == 2, 'not two'\n           ^^^^^^^^\nAssertionError: not two"
    )
    assert bench.lines[2] == "2/3 tests passed."


async def test_test_of_a_missing_output_fails_with_its_message(bench: Any) -> None:
    code = """
        @data_loader
        def load(): pass

        @test
        def defined(output, *args) -> None:
            assert output is not None, 'The output is undefined'
    """
    result = await bench.run(code)
    assert result.reason == "tests"
    assert "AssertionError: The output is undefined" in bench.lines[1]


async def test_other_exception_in_a_test_aborts_at_once(bench: Any) -> None:
    code = """
        @data_loader
        def load(): return 5
        @test
        def boom(output): len(output)
        @test
        def never(output): print('never')
    """
    result = await bench.run(code)
    assert result.error_type == "TypeError"
    assert result.error == "object of type 'int' has no len()"
    assert bench.lines == []


async def test_passed_tests_are_counted_in_the_log(bench: Any) -> None:
    code = "@data_loader\ndef load(): return 1\n@test\ndef one(n): assert n == 1"
    assert await bench.value(code) == 1
    assert bench.lines == ["1/1 tests passed."]


async def test_traceback_shows_the_users_frames_and_lines_only(bench: Any) -> None:
    (bench.project / "helpers.py").write_text("def divide(a):\n    return a / 0\n")
    code = """
        from helpers import divide
        @data_loader
        def load():
            try:
                divide(1)
            except ZeroDivisionError as error:
                raise LookupError('no such thing') from error
    """
    result = await bench.run(code)
    assert (result.error_type, result.error) == ("LookupError", "no such thing")
    assert "workers/pipelines" not in result.traceback
    assert "return a / 0" in result.traceback
    assert '<block load>", line 8, in load' in result.traceback
    assert "raise LookupError('no such thing') from error" in result.traceback
    assert result.traceback.endswith("LookupError: no such thing")


async def test_syntax_error_and_import_error_tell_the_line(bench: Any) -> None:
    syntax = await bench.run("@data_loader\ndef load(:\n    pass")
    assert syntax.error_type == "SyntaxError"
    assert 'File "<block load>", line 2' in syntax.traceback
    missing = await bench.run("import no_such_module_here")
    assert missing.error_type == "ModuleNotFoundError"
    assert "import no_such_module_here" in missing.traceback


async def test_code_that_calls_exit_fails_the_block(bench: Any) -> None:
    result = await bench.run("@data_loader\ndef load():\n    raise SystemExit(0)")
    assert (result.ok, result.error_type) == (False, "SystemExit")
    assert "sys.exit(0)" in result.error


async def test_print_logger_and_subprocesses_reach_the_log_in_order(bench: Any) -> None:
    code = """
        import logging, subprocess, sys, threading
        @data_loader
        def load(**kwargs):
            print('one', 'two')
            print('a\\nb', end='')
            print('c')
            kwargs['logger'].info('info %s', 1)
            kwargs['logger'].debug('too fine')
            logging.getLogger('lib').warning('careful')
            print('to stderr', file=sys.stderr)
            sys.stdout.buffer.write(b'bytes \\xff\\n')
            print('10%\\r20%\\r100%')
            thread = threading.Thread(target=print, args=('from a thread',))
            thread.start(); thread.join()
            print('nul\\x00 and \\ud800', end='')
    """
    result = await bench.run(code)
    assert result.ok, result
    assert [(record.level, record.message) for record in bench.logs] == [
        ("INFO", "one two"),
        ("INFO", "a"),
        ("INFO", "bc"),
        ("INFO", "info 1"),
        ("WARNING", "careful"),
        ("INFO", "to stderr"),
        ("INFO", "bytes \ufffd"),
        ("INFO", "100%"),
        ("INFO", "from a thread"),
        ("INFO", "nul and \\ud800"),
    ]
    assert all(record.at.tzinfo is UTC for record in bench.logs)


async def test_subprocesses_and_forks_reach_the_log(bench: Any) -> None:
    code = """
        import multiprocessing, os, subprocess, sys
        def work(n):
            print('forked', n)
            return n * n
        @data_loader
        def load():
            subprocess.run(['echo', 'echoed'])
            subprocess.run(['echo', 'given'], stdout=sys.stdout)
            with multiprocessing.get_context('fork').Pool(2) as pool:
                return pool.map(work, [1, 2, 3])
    """
    assert await bench.value(code) == [1, 4, 9]
    assert {"echoed", "given", "forked 1", "forked 3"} <= set(bench.lines)


async def test_forked_copy_that_returns_does_not_report_twice(bench: Any) -> None:
    code = """
        import os
        @data_loader
        def load():
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            return 'parent' if child else 'child'
    """
    assert await bench.value(code) == "parent"


async def test_value_that_cannot_be_stored_names_block_and_type(bench: Any) -> None:
    result = await bench.run("@data_loader\ndef load(): return {'f': open('/dev/null')}")
    assert (result.ok, result.reason, result.traceback) == (False, "unsupported", None)
    assert result.error.startswith("Block load: A value of type _io.TextIOWrapper cannot be")


async def test_large_frame_arrives_downstream(bench: Any) -> None:
    code = """
        import pandas as pd
        @data_loader
        def load(): return pd.DataFrame({'n': range(1_000_000), 's': 'text'})
    """
    result = await bench.run(code)
    assert result.outputs[0].rows == 1_000_000
    assert result.metrics.cpu_s > 0
    assert result.metrics.max_rss_bytes > 10_000_000
    total = bench.call(
        "@transformer\ndef f(df): return int(df['n'].sum())", block_type="transformer"
    )
    call = replace(total, inputs=(Input((result.outputs,)),))
    assert bench.read(await bench.server.run(call, bench.keep)) == 499999500000


async def test_large_text_and_long_lines_pass(bench: Any) -> None:
    code = """
        @data_loader
        def load():
            print('x' * 100_000)
            return 'y' * 5_000_000
    """
    assert len(await bench.value(code)) == 5_000_000
    assert "".join(bench.lines) == "x" * 100_000


async def test_random_numbers_differ_between_blocks(bench: Any) -> None:
    code = """
        import random, numpy
        @data_loader
        def load(): return [random.random(), float(numpy.random.rand())]
    """
    first, second = await bench.value(code), await bench.value(code)
    assert first[0] != second[0]
    assert first[1] != second[1]
