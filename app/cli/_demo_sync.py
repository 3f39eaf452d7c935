"""The demo's second half: a shop in the built-in warehouse, and a job that moves it to Parquet."""

import time
from importlib import resources
from typing import Any

from app.cli._demo_call import Caller, DemoFailed, say
from app.ingestion.specs import VERSION

PIPELINE = "shop_data"
JOB = "shop_to_parquet"
SOURCE = {"warehouse": True, "schemas": ["shop"]}
DESTINATION = {"type": "PARQUET", "writer": {"local_path": "lake"}}
WAIT_S = 60

_RUN = """
mutation ($pipeline: String!) {
  pipelineRunCreate(input: {of: {pipeline: {uuid: $pipeline}}}) { run { id } errors { message } }
}"""

_RUN_NOW = "query ($id: ID!) { pipelineRun(by: {id: $id}) { status } }"

_FIND = "query ($name: String!) { syncJobs(first: 1, where: {name: {eq: $name}}) { nodes { id } } }"

_DISCOVER = """
mutation ($config: JSON!, $version: String!, $job: String!) {
  syncSourceDiscover(input: {
    type: "postgres", connectorVersion: $version, config: $config, jobName: $job, waitS: 30
  }) { streamsConfig message errors { message } }
}"""

_CREATE = """
mutation ($input: SyncJobCreateInput!) {
  syncJobCreate(input: $input) { job { id } errors { message } }
}"""

_START = """
mutation ($id: ID!) {
  syncJobStart(input: {by: {id: $id}}) { task { id number } errors { message } }
}"""

_TASK = """
query ($id: ID!) {
  syncTask(by: {id: $id}) {
    number status error rows bytes
    steps { name status metrics }
  }
}"""


def load(call: Caller) -> None:
    """Fill the shop, make the job where it is missing, and run it."""
    block = {
        "name": "make shop",
        "type": "data_loader",
        "content": (resources.files("examples.demo") / "sql" / "make_shop.sql").read_text(),
        "configuration": {"data_provider": "postgres", "use_raw_sql": True},
    }
    run_sql(call, PIPELINE, block)
    say(f"\nPipeline {PIPELINE} filled the tables shop.customers and shop.orders.")
    run(call, JOB, job(call, JOB, "lake", "parquet", DESTINATION))


def run_sql(call: Caller, pipeline: str, block: dict[str, Any]) -> None:
    """Run a pipeline of one SQL block, made where it is missing."""
    listed = call.request("GET", f"/api/pipelines?search={pipeline}")["pipelines"]
    if not any(one["uuid"] == pipeline for one in listed):
        made = {"name": pipeline, "type": "python"}
        call.request("POST", "/api/pipelines", {"pipeline": made})
        path = f"/api/pipelines/{pipeline}/blocks"
        call.request("POST", path, {"block": {**block, "language": "sql"}})
    started = _of(call.graphql(_RUN, pipeline=pipeline))["run"]
    ended = _wait(call, _RUN_NOW, started["id"])
    if ended["status"] != "SUCCEEDED":
        raise DemoFailed(f"the run of {pipeline} ended as {ended['status']}")


def run(call: Caller, name: str, job: str) -> None:
    """Run a job, and say what it moved."""
    began = time.monotonic()
    started = _of(call.graphql(_START, id=job))["task"]
    task = _wait(call, _TASK, started["id"])
    say(
        f"Sync {task['number']} of job {name} {task['status'].lower()} after "
        f"{time.monotonic() - began:.2f} s: {task['rows']} rows, {task['bytes']} bytes."
    )
    for step in task["steps"]:
        rows = (step["metrics"] or {}).get("rows", 0)
        say(f"  {step['name']:<16} {step['status'].lower()}, {rows} rows")
    if task["status"] != "SUCCEEDED":
        raise DemoFailed(f"the sync ended as {task['status']}: {task['error']}")


def job(call: Caller, name: str, destination: str, kind: str, config: dict[str, Any]) -> str:
    """The id of a job from the shop to a destination; made where it is missing."""
    found = call.graphql(_FIND, name=name)["syncJobs"]["nodes"]
    if found:
        say(f"Job {name} is there already.")
        return str(found[0]["id"])
    looked = _of(call.graphql(_DISCOVER, config=SOURCE, version=VERSION, job=name))
    if looked["streamsConfig"] is None:
        raise DemoFailed(f"the streams of the shop were not found: {looked['message']}")
    wanted = {
        "name": name,
        "source": _end("shop", "postgres", SOURCE),
        "destination": _end(destination, kind, config),
        "streamsConfig": looked["streamsConfig"],
    }
    made = _of(call.graphql(_CREATE, input=wanted))["job"]
    say(f"Made job {name}: source shop (PostgreSQL), destination {destination} ({kind}).")
    return str(made["id"])


def _end(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "connectorVersion": VERSION, "config": config}


def _wait(call: Caller, query: str, run: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        (found,) = call.graphql(query, id=run).values()
        if found["status"] not in ("QUEUED", "RUNNING"):
            return found
        time.sleep(0.1)
    raise DemoFailed(f"a run did not end within {WAIT_S} s")


def _of(data: Any) -> Any:
    """The payload of the only mutation; DemoFailed where it tells of an error."""
    (payload,) = data.values()
    if payload["errors"]:
        raise DemoFailed(payload["errors"][0]["message"])
    return payload
