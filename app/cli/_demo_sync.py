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
    _fill(call)
    job = _job(call)
    began = time.monotonic()
    started = _of(call.graphql(_START, id=job))["task"]
    task = _wait(call, _TASK, started["id"])
    say(
        f"Sync {task['number']} of job {JOB} {task['status'].lower()} after "
        f"{time.monotonic() - began:.2f} s: {task['rows']} rows, {task['bytes']} bytes."
    )
    for step in task["steps"]:
        rows = (step["metrics"] or {}).get("rows", 0)
        say(f"  {step['name']:<16} {step['status'].lower()}, {rows} rows")
    if task["status"] != "SUCCEEDED":
        raise DemoFailed(f"the sync ended as {task['status']}: {task['error']}")


def _fill(call: Caller) -> None:
    listed = call.request("GET", f"/api/pipelines?search={PIPELINE}")["pipelines"]
    if not any(pipeline["uuid"] == PIPELINE for pipeline in listed):
        made = {"name": PIPELINE, "type": "python"}
        call.request("POST", "/api/pipelines", {"pipeline": made})
        block = {
            "name": "make shop",
            "type": "data_loader",
            "language": "sql",
            "content": (resources.files("examples.demo") / "sql" / "make_shop.sql").read_text(),
            "configuration": {"data_provider": "postgres", "use_raw_sql": True},
        }
        call.request("POST", f"/api/pipelines/{PIPELINE}/blocks", {"block": block})
    run = _of(call.graphql(_RUN, pipeline=PIPELINE))["run"]
    run = _wait(call, _RUN_NOW, run["id"])
    if run["status"] != "SUCCEEDED":
        raise DemoFailed(f"the run of {PIPELINE} ended as {run['status']}")
    say(f"\nPipeline {PIPELINE} filled the tables shop.customers and shop.orders.")


def _job(call: Caller) -> str:
    found = call.graphql(_FIND, name=JOB)["syncJobs"]["nodes"]
    if found:
        say(f"Job {JOB} is there already.")
        return str(found[0]["id"])
    looked = _of(call.graphql(_DISCOVER, config=SOURCE, version=VERSION, job=JOB))
    if looked["streamsConfig"] is None:
        raise DemoFailed(f"the streams of the shop were not found: {looked['message']}")
    job = {
        "name": JOB,
        "source": {
            "name": "shop",
            "type": "postgres",
            "connectorVersion": VERSION,
            "config": SOURCE,
        },
        "destination": {
            "name": "lake",
            "type": "parquet",
            "connectorVersion": VERSION,
            "config": DESTINATION,
        },
        "streamsConfig": looked["streamsConfig"],
    }
    made = _of(call.graphql(_CREATE, input=job))["job"]
    say(f"Made job {JOB}: source shop (PostgreSQL), destination lake (Parquet).")
    return str(made["id"])


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
