"""Catalogs: what is selected, what differs, what a new look adds."""

from typing import Any

import pytest

from app.core.errors import Invalid
from app.ingestion import catalog


def stream(name: str, columns: tuple[str, ...] = ("id",), **values: Any) -> dict[str, Any]:
    """A stream's entry."""
    properties = {column: {"type": ["string"]} for column in columns}
    own = {"namespace": "public", "name": name, "type_schema": {"properties": properties}}
    return {"stream": {**own, "sync_mode": "full_refresh", **values}}


def chosen(*names: str, **values: Any) -> dict[str, Any]:
    """A selection with the same settings for each."""
    return {"public": [{"stream_name": name, "normalization": True, **values} for name in names]}


def of(selection: dict[str, Any] | None, *streams: dict[str, Any]) -> dict[str, Any]:
    """A catalog."""
    made: dict[str, Any] = {"streams": list(streams)}
    return made if selection is None else {"selected_streams": selection, **made}


def names(found: dict[str, Any]) -> list[str]:
    """Of the selected streams."""
    return [one.name for one in catalog.selected(found)]


def test_what_is_selected() -> None:
    a, b = stream("a"), stream("b")
    assert names(of(chosen("b"), a, b)) == ["b"]
    assert names(of(None, a, b)) == ["a", "b"]
    assert names(of({}, a, b)) == []
    assert names(of(chosen("a", disabled=True), a)) == []
    assert names({}) == []


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ({}, {}, []),
        ({"normalization": True}, {"normalization": False}, ["a"]),
        ({}, {"partition_regex": "/{id,'',YYYY}"}, ["a"]),
        ({}, {"partition_regex": ""}, []),
        ({}, {"filter": "id > 1"}, ["a"]),
        ({}, {"filter_config": {"logical_operator": "and", "conditions": []}}, ["a"]),
        ({}, {"append_mode": True}, ["a"]),
        ({}, {"append_mode": False}, []),
        ({}, {"use_source_column_names": True}, ["a"]),
        ({}, {"selected_columns": {"columns": ["id"], "sync_new_columns": True}}, []),
    ],
)
def test_settings_that_differ(old: Any, new: Any, differs: list[str]) -> None:
    a = stream("a")
    found = catalog.difference(of(chosen("a", **old), a), of(chosen("a", **new), a))
    assert names(found) == differs


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ({}, {"sync_mode": "incremental"}, ["a"]),
        ({}, {"destination_table": "b"}, ["a"]),
        ({}, {"destination_database": "b"}, ["a"]),
        ({}, {"cursor_field": "id"}, []),
        (
            {"sync_mode": "incremental", "cursor_field": "id"},
            {"sync_mode": "incremental", "cursor_field": "at"},
            ["a"],
        ),
        ({}, {"supported_sync_modes": ["cdc"]}, []),
    ],
)
def test_streams_that_differ(old: Any, new: Any, differs: list[str]) -> None:
    before, after = of(chosen("a"), stream("a", **old)), of(chosen("a"), stream("a", **new))
    assert names(catalog.difference(before, after)) == differs


def test_a_newly_selected_stream_differs_and_one_that_is_left_out_does_not() -> None:
    a, b = stream("a"), stream("b")
    assert names(catalog.difference(of(chosen("a"), a, b), of(chosen("b"), a, b))) == ["b"]


def test_a_new_look_keeps_choices_and_selects_nothing_new() -> None:
    old = of(
        chosen("a", "gone", selected_columns={"columns": ["id", "x"], "sync_new_columns": True}),
        stream("a", ("id", "x", "y"), sync_mode="incremental", cursor_field="id"),
        stream("b"),
        stream("gone"),
    )
    found = of(
        chosen("a", "b", "new"),
        stream("a", ("id", "y", "z"), sync_mode="cdc", supported_sync_modes=["cdc"]),
        stream("b"),
        stream("new"),
    )
    merged = catalog.merge(old, found)
    assert names(merged) == ["a"]
    a, b, new = (entry["stream"] for entry in merged["streams"])
    assert (a["sync_mode"], a["cursor_field"]) == ("incremental", "id")
    assert a["supported_sync_modes"] == ["cdc"] and (b["name"], new["name"]) == ("b", "new")
    (metadata,) = merged["selected_streams"]["public"]
    assert metadata["selected_columns"]["columns"] == ["id", "z"]


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "{}",
        {"streams": {}},
        {"streams": ["a"]},
        {"streams": [{"stream": {"name": ""}}]},
        {"streams": [{"stream": {"name": "a", "namespace": 1}}]},
        {"selected_streams": []},
        {"selected_streams": {"n": {}}},
        {"selected_streams": {"n": [{"stream_name": 1}]}},
        of(chosen("a"), stream("a"), stream("a")),
        of(chosen("a"), stream("a", sync_mode="guess")),
        of(chosen("a"), stream("a", cursor_field=[1])),
        of(chosen("a"), stream("a\x00")),
    ],
)
def test_what_is_no_catalog_is_refused(wrong: Any) -> None:
    with pytest.raises(Invalid) as refused:
        catalog.check(wrong)
    assert refused.value.reason == "STREAMS_INVALID"
