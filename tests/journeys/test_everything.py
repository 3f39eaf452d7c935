"""A folder that Mage made comes in by command, runs like there, and goes home unchanged.

What a pipeline is to do is what Mage 0.9.80 did with it: `tests/data/mage/README.md`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.house.places import ROOT
from tests.journeys.live import Live, live
from tests.journeys.mage_folder import answered, api_trigger, contents, ended, get, messages, start
from tests.journeys.pipelines import Graph
from tests.journeys.test_moving_in import command
from tests.journeys.warehouse import warehouse
from tests.servers import SessionServers, open_folder

EVERYTHING = ROOT / "tests/data/mage/everything"
FRESH = ROOT / "tests/data/mage/fresh_project"


@dataclass(frozen=True)
class Expected:
    """How a run ends: its status, and the status of each block run by name."""

    status: str
    blocks: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    """Of the block runs that began more than once."""


def all_completed(*names: str, **more: Any) -> Expected:
    """A run whose block runs have all completed."""
    return Expected("completed", dict.fromkeys(names, "completed"), **more)


HARBOUR = ("load_calls", "load_ships", "join_ships", "rate_calls", "export_totals")
VALUES = ("list", "tuple", "dict", "nothing", "text", "nested_list", "tables")
SQL = (
    *("load_rates", "harbours", "priced_harbours"),
    *("export_prices", "read_prices", "check_prices"),
)
FAN_OUT = (
    *("list_harbours", "count_cranes", "count_cranes:oslo", "count_cranes:bergen"),
    *("add_spares", "add_spares:0", "add_spares:1", "sum_cranes"),
    *("list_numbers", "square", "square:0", "square:1", "square:2", "sum_squares"),
)
NOT_RUN = "Blocks of language {} are not supported. Supported: python, sql."
RUNS = {
    "harbour_calls": all_completed(*HARBOUR),
    "values_between_blocks": all_completed(*(f"give_{v}" for v in VALUES), "check_values"),
    "sql_blocks": all_completed(*SQL),
    "gates": Expected(
        "completed",
        {
            **dict.fromkeys(("wait_for_file", "load_after_wait", "daily_report"), "completed"),
            **dict.fromkeys(("festive_report", "send_festive_report"), "condition_failed"),
        },
    ),
    # The project's retry_config gives each failing block a second attempt, there as here.
    "callbacks": Expected(
        "failed",
        {"works": "completed", "breaks": "failed"},
        {"breaks": "broken on purpose"},
        {"breaks": 2},
    ),
    "fan_out": all_completed(*FAN_OUT),
    "retries": all_completed(
        "flaky", "flaky_by_project", attempts={"flaky": 3, "flaky_by_project": 2}
    ),
    "times_out": Expected(
        # There it says how long the block took until the scheduler looked, such as 9 seconds.
        "failed",
        {"slow": "failed"},
        {"slow": "Block slow timed out after 3 seconds"},
    ),
    "failing_test": Expected(
        "failed",
        {"negative_hours": "failed"},
        {"negative_hours": "Failed to pass tests for block negative_hours"},
        {"negative_hours": 2},
    ),
    "notes": all_completed("tick"),
    "timetable": all_completed("tick"),
    # Mage calls the last one `drop_empty_again:cleaning/drop_empty`. Here a block run has the
    # uuid of its block, by which it is found in the pipeline; only copies have more.
    "shared_blocks": all_completed("load_calls", "cleaning/drop_empty", "drop_empty_again"),
    # Mage lists the next two and does not run them; it cannot even open the last.
    "r_blocks": Expected("failed", {"load_in_r": "failed"}, {"load_in_r": NOT_RUN.format("r")}),
    "stream_calls": Expected(
        "failed",
        {"calls_from_kafka": "failed", "keep_large": "cancelled", "calls_to_console": "cancelled"},
        {"calls_from_kafka": NOT_RUN.format("yaml")},
    ),
    "dbt_models": Expected(
        "failed",
        {"harbour_models": "failed"},
        {
            "harbour_models": "Blocks of type dbt are not supported yet. Supported types: "
            "data_loader, transformer, data_exporter, custom, sensor, conditional, callback."
        },
    ),
}
TOLD = {
    "harbour_calls": {
        "load_calls": ["5 lines in the file", "2/2 tests passed."],
        "export_totals": ["{'Bering': 140, 'Calypso': 200}"],
    },
    "gates": {
        "festive_report": [
            "Conditional block is_festive evaluated as False for block festive_report"
        ]
    },
    "callbacks": {
        "works": ["callback: works succeeded with good data", "old form: works succeeded"],
        # After the last attempt, and not after each.
        "breaks": ["callback: breaks failed: broken on purpose", "old form: breaks failed"],
    },
    "fan_out": {"sum_cranes": ["22 cranes"]},
    "timetable": {"tick": ["by_call: region north, event {'weather': 'fair'}"]},
    "notes": {"tick": ["call notes: region none, event {'weather': 'fair'}"]},
    "failing_test": {"negative_hours": ["1/2 tests passed."]},
}


@dataclass(frozen=True)
class Stay:
    """The project in an installation, with a run of each pipeline by pipeline."""

    made: Live
    client: httpx2.Client
    runs: dict[str, int]
    triggers: list[int]
    """Those that were made here, since the folder had none for a pipeline."""


@pytest.fixture(scope="module")
def stay(session_servers: SessionServers) -> Iterator[Stay]:
    """All pipelines are started at once."""
    with (
        open_folder() as folder,
        warehouse(session_servers) as env,
        live(
            session_servers,
            folder,
            authentication=False,
            ISTHMUS_BLOCK_ENV=",".join(env),
            **env,
        ) as made,
        made.client() as client,
    ):
        status, said = command(made, "import", "mage", str(EVERYTHING), "--yes")
        assert status == 0 and said.endswith("Done."), said
        triggers = {uuid: api_trigger(client, uuid) for uuid in RUNS}
        body = {"weather": "fair"}
        runs = {uuid: start(client, trigger, body) for uuid, (trigger, _) in triggers.items()}
        new = [trigger["id"] for trigger, is_new in triggers.values() if is_new]
        yield Stay(made, client, runs, new)


def test_all_pipelines_of_the_folder_are_here(stay: Stay) -> None:
    listed = {row["uuid"] for row in get(stay.client, "/api/pipelines")}
    assert listed == {folder.parent.name for folder in EVERYTHING.glob("pipelines/*/metadata.yaml")}
    assert listed == {*RUNS, "all_at_once"}


@pytest.mark.parametrize("pipeline", RUNS)
def test_run_ends_as_in_mage(stay: Stay, pipeline: str) -> None:
    expected = RUNS[pipeline]
    run = ended(stay.client, stay.runs[pipeline])
    assert run["status"] == expected.status, run
    assert {row["block_uuid"]: row["status"] for row in run["block_runs"]} == expected.blocks
    errors = {row["block_uuid"]: (row["metrics"] or {}).get("error") for row in run["block_runs"]}
    assert {name: e["error"] for name, e in errors.items() if e} == expected.errors
    (found,) = Graph(stay.client)(
        "query($n: Int!) { pipelineRuns(where: {number: {eq: $n}}, first: 1) "
        "{ nodes { steps { name attempt } } } }",
        n=run["id"],
    )["pipelineRuns"]["nodes"]
    again = {step["name"]: step["attempt"] for step in found["steps"] if step["attempt"] > 1}
    assert again == expected.attempts


@pytest.mark.parametrize("pipeline", TOLD)
def test_blocks_say_what_they_say_in_mage(stay: Stay, pipeline: str) -> None:
    number = ended(stay.client, stay.runs[pipeline])["id"]
    logs = messages(stay.client, f"/api/pipeline_runs/{number}/logs")
    for block, lines in TOLD[pipeline].items():
        assert list(dict.fromkeys(line for line in logs[block] if line in lines)) == lines


def test_the_folder_goes_home_as_it_came(stay: Stay, tmp_path: Path) -> None:
    for number in stay.runs.values():
        ended(stay.client, number)
    for number in stay.triggers:
        answered(stay.client.delete(f"/api/pipeline_schedules/{number}"))
    home = tmp_path / "everything"
    status, said = command(stay.made, "export", "mage", str(home))
    assert status == 0 and said.endswith("Done."), said
    assert contents(home) == contents(EVERYTHING)
    status, said = command(stay.made, "import", "mage", str(home), "--yes")
    assert status == 0 and said.endswith("Nothing to do."), said


TITANIC = """Age,Fare,Parch,Pclass,SibSp,Survived,Name
22,7.25,0,3,1,0,"Braund, Mr. Owen Harris"
38,71.25,0,1,1,1,"Cumings, Mrs. John Bradley"
,8.5,0,3,0,0,"Moran, Mr. James"
"""


@pytest.mark.long
def test_a_fresh_project_runs_once_it_has_data(
    session_servers: SessionServers, tmp_path: Path
) -> None:
    with (
        live(session_servers, tmp_path, authentication=False) as made,
        made.client() as client,
    ):
        status, said = command(made, "import", "mage", str(FRESH), "--yes")
        assert status == 0 and said.endswith("Done."), said
        home = tmp_path / "home_again" / "fresh_project"
        assert command(made, "export", "mage", str(home))[0] == 0
        assert contents(home) == contents(FRESH)

        # It reads a file from the internet, which is replaced by one of this machine.
        trigger, _ = api_trigger(client, "example_pipeline")
        path = "/api/pipelines/example_pipeline/blocks/load_titanic"
        file = tmp_path / "titanic.csv"
        file.write_text(TITANIC)
        code = (FRESH / "data_loaders/load_titanic.py").read_text()
        code = re.sub("https://[^']+", str(file), code)
        answered(client.put(path, json={"block": {"content": code}}))
        number = start(client, trigger)
        run = ended(client, number)
        assert {row["status"] for row in run["block_runs"]} == {"completed"}, run
        told = messages(client, f"/api/pipeline_runs/{number}/logs")
        assert told["load_titanic"] == ["1/1 tests passed."]
        filled = next(r for r in run["block_runs"] if r["block_uuid"] == "fill_in_missing_values")
        (output,) = get(client, f"/api/block_runs/{filled['id']}/outputs")
        sample = output["sample_data"]
        age = sample["columns"].index("Age")
        assert [row[age] for row in sample["rows"]] == [22, 38, 38]
