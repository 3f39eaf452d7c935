"""A run's steps as a graph, without anything that runs."""

import pytest

from workers.pipelines.calls import Input, Output
from workers.pipelines.graph import MAX_ITEMS, CannotFanOut, Graph, Node


def graph(**upstream: str) -> Graph:
    """Steps and, as words, what each needs."""
    return Graph(
        Node(name, number, number, tuple(needs.split()))
        for number, (name, needs) in enumerate(upstream.items())
    )


def fan_out(
    steps: Graph, source: str, *keys: str, dynamic: str = "", reducing: str = ""
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Copies and originals with what they need."""
    copies, originals = steps.fan_out(
        source,
        keys,
        is_dynamic=lambda name: name in dynamic.split(),
        reduces=lambda name: name in reducing.split(),
    )
    steps.apply(copies, originals, {step.name: 100 + i for i, step in enumerate(copies)})
    made = [{step.name: tuple(step.upstream) for step in some} for some in (copies, originals)]
    return made[0], made[1]


def names(nodes: list[Node]) -> list[str]:
    return [node.name for node in nodes]


def test_a_step_can_start_once_all_that_it_needs_has_succeeded() -> None:
    steps = graph(a="", b="a", c="a b")
    assert names(steps.startable()) == ["a"]
    steps["a"].status = "succeeded"
    assert names(steps.startable()) == ["b"]
    steps["b"].status = "running"
    assert names(steps.startable()) == []


def test_what_is_behind_a_failed_or_left_out_step_is_blocked() -> None:
    steps = graph(a="", b="", c="a", d="b", e="c d")
    steps["a"].status, steps["b"].status = "failed", "skipped"
    assert [(n.name, s) for n, s in steps.blocked()] == [("c", "upstream_failed"), ("d", "skipped")]


def test_items_fan_out_until_a_block_reduces() -> None:
    steps = graph(load="", child="load", after="child", total="after", other="total load")
    copies, originals = fan_out(steps, "load", "one", "two", reducing="after")
    assert copies == {
        "child:one": ("load",),
        "child:two": ("load",),
        "after:0": ("child:one",),
        "after:1": ("child:two",),
        "other:one": ("total", "load"),
        "other:two": ("total", "load"),
    }
    assert originals == {
        "child": ("child:one", "child:two"),
        "after": ("after:0", "after:1"),
        "other": ("other:one", "other:two"),
    }
    assert steps["total"].upstream == ("after",)
    assert steps["after:1"].block == "after"


def test_inputs_are_items_values_and_lists_of_values() -> None:
    steps = graph(load="", side="", child="load side", total="child")
    fan_out(steps, "load", "0", "1", reducing="child")
    outputs = {
        name: (Output("output_0", "json", name, 1),)
        for name in ("load", "side", "child:0", "child:1")
    }
    for name, stored in outputs.items():
        steps[name].outputs = stored
    assert steps.inputs(steps["child:1"]) == (
        Input((outputs["load"],), item=1),
        Input((outputs["side"],)),
    )
    both = (outputs["child:0"], outputs["child:1"])
    assert steps.inputs(steps["total"]) == (Input(both, is_list=True),)


def test_without_items_the_controllers_are_done_at_once() -> None:
    steps = graph(load="", child="load", total="child")
    assert fan_out(steps, "load", reducing="child") == ({}, {"child": ()})
    steps["load"].status = "succeeded"
    assert names(steps.startable()) == ["child"]
    assert steps["child"].is_controller
    steps["child"].status = "succeeded"
    assert steps.inputs(steps["total"]) == (Input((), is_list=True),)


@pytest.mark.parametrize("dynamic", ["child", "after"])
def test_a_second_dynamic_block_behind_the_first_is_refused(dynamic: str) -> None:
    steps = graph(load="", child="load", after="child")
    with pytest.raises(CannotFanOut, match=f"Block {dynamic} is behind two dynamic blocks"):
        fan_out(steps, "load", "0", "1", dynamic=dynamic)


def test_a_block_behind_two_dynamic_ones_is_refused() -> None:
    steps = graph(left="", right="", child="left right")
    fan_out(steps, "left", "0", "1")
    with pytest.raises(CannotFanOut, match="behind two dynamic blocks"):
        fan_out(steps, "right", "0")


def test_too_many_copies_are_refused() -> None:
    steps = graph(load="", a="load", b="a", c="b")
    with pytest.raises(CannotFanOut, match="2000 copies"):
        fan_out(steps, "load", *(str(n) for n in range(MAX_ITEMS)))
