"""Sensors, conditions, callbacks and dynamic blocks, each in its own process."""

from dataclasses import replace
from typing import Any

from workers.pipelines.calls import Input


async def test_sensor_says_yes_or_no_and_stores_nothing(bench: Any) -> None:
    yes = await bench.run("@sensor\ndef look(**kwargs): return [1]", block_type="sensor")
    no = await bench.run("@sensor\ndef look(**kwargs): return 0", block_type="sensor")
    assert (yes.ok, yes.verdict, yes.outputs) == (True, True, ())
    assert (no.ok, no.verdict) == (True, False)


async def test_condition_gets_the_values_of_its_parent(bench: Any) -> None:
    code = "@condition\ndef enough(data, *args, **kwargs): return data['n'] > kwargs['least']"
    for n, verdict in ((5, True), (2, False)):
        result = await bench.run(
            code, block_type="conditional", upstream=[{"n": n}], kwargs={"least": 3}
        )
        assert (result.ok, result.verdict) == (True, verdict)


async def test_one_false_of_several_conditions_decides(bench: Any) -> None:
    code = "@condition\ndef a(**k): return True\n@condition\ndef b(**k): return False\n"
    assert (await bench.run(code, block_type="conditional")).verdict is False


async def test_callbacks_are_called_for_their_event_with_the_parents_data(bench: Any) -> None:
    code = """
        @callback
        def bare(data, **kwargs): print('bare', data, kwargs['parent_block_uuid'])
        @callback('success')
        def good(data, **kwargs): print('good', kwargs['pipeline_run'].id)
        @callback('failure')
        def bad(data, **kwargs): print('bad', data, kwargs['__error'])
        @callback('cancelled')
        def gone(**kwargs): print('gone')
        @on_success
        def old(data, **kwargs): print('old', data)
        @on_success
        def old_named_only(**kwargs): print('old named only', kwargs['parent_block_uuid'])
        @on_failure
        def old_bad(**kwargs): print('old bad')
        @on_failure
        def old_bad_with_data(data, **kwargs): print('old bad', data)
    """
    own = {"parent_block_uuid": "load", "pipeline_run": {"id": 7}}

    async def lines(event: str, upstream: list[Any], **more: Any) -> list[str]:
        bench.logs.clear()
        result = await bench.run(
            code, block_type="callback", event=event, upstream=upstream, kwargs={**own, **more}
        )
        assert result.ok, result
        return list(bench.lines)

    assert await lines("success", [[1, 2]]) == [
        "bare [1, 2] load",
        "good 7",
        "old [1, 2]",
        "old named only load",
    ]
    assert await lines("failure", [], __error="broke") == [
        "bad None broke",
        "old bad",
        "old bad None",
    ]
    assert await lines("cancelled", []) == ["gone"]


async def test_dynamic_block_names_its_items(bench: Any) -> None:
    code = (
        "@data_loader\ndef load(): "
        "return [[1, 2, 3], [{'block_uuid': 'One'}, {'block_uuid': 'two-2'}, {}]]"
    )
    result = await bench.run(code, configuration={"dynamic": True})
    assert result.items == ("one", "two_2", "2")
    assert [o.name for o in result.outputs] == ["output_0", "output_1"]
    again = (
        "@data_loader\ndef load(): return [['a', 'b'], [{'block_uuid': 'x'}, {'block_uuid': 'x'}]]"
    )
    assert (await bench.run(again, configuration={"dynamic": True})).items == ("x", "x_1")


async def test_dynamic_block_must_return_items(bench: Any) -> None:
    result = await bench.run(
        "@data_loader\ndef load(): return {'a': 1}", configuration={"dynamic": True}
    )
    assert (result.ok, result.reason) == (False, "dynamic")
    assert "[items, metadata]" in result.error


async def test_copy_gets_its_item_and_what_the_item_brings_along(bench: Any) -> None:
    stored = bench.store([[10, 20], [{"block_uuid": "a"}, {"block_uuid": "b", "colour": "red"}]])
    code = "@transformer\ndef f(item, *args, **kwargs): return [item, kwargs.get('colour')]"
    call = bench.call(code, block_type="transformer")
    for item, expected in ((0, [10, None]), (1, [20, "red"])):
        result = await bench.server.run(
            replace(call, inputs=(Input((stored,), item=item),)), bench.keep
        )
        assert bench.read(result) == expected


async def test_rows_of_a_frame_are_items_too(bench: Any) -> None:
    code = "import pandas as pd\n@data_loader\ndef load(): return [pd.DataFrame({'a': [5, 6]})]"
    result = await bench.run(code, configuration={"dynamic": True})
    assert result.items == ("0", "1")
    call = bench.call(
        "@transformer\ndef f(row): return int(row['a'].iloc[0])", block_type="transformer"
    )
    given = (Input((result.outputs,), item=1),)
    assert bench.read(await bench.server.run(replace(call, inputs=given), bench.keep)) == 6


async def test_reduced_output_is_the_list_of_all_values(bench: Any) -> None:
    parts = (bench.store({"n": 1}), bench.store([1, 2]), bench.store(None))
    call = bench.call("@transformer\ndef f(values): return {'v': values}", block_type="transformer")
    for some in (parts, parts[:1], ()):
        result = await bench.server.run(
            replace(call, inputs=(Input(some, is_list=True),)), bench.keep
        )
        assert bench.read(result) == {"v": [{"n": 1}, [1, 2], []][: len(some)]}
