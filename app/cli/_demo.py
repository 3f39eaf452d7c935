"""What `isthmus dev` says when it is ready, and the demo that it can load.

The demo talks to the server over HTTP only, through the paths that Mage documents.
"""

import time
from collections.abc import Mapping
from importlib import resources
from typing import Any

import orjson

from app.cli import _demo_leads, _demo_model, _demo_report, _demo_sync, _session
from app.cli._demo_call import Caller, DemoFailed, say

PIPELINE = "harbour calls"
UUID = "harbour_calls"
BLOCKS = (
    ("load calls", "data_loader", ()),
    ("busy calls", "transformer", ("load_calls",)),
    ("sum up", "data_exporter", ("busy_calls",)),
)
FINISHED = ("completed", "failed", "cancelled")
WAIT_S = 60


def introduce(environ: Mapping[str, str], url: str) -> None:
    """Print the credentials to try next."""
    _print_credentials(environ, url)


def load(environ: Mapping[str, str], url: str) -> None:
    """Make the demo pipeline where it is missing, run it through its trigger's URL, and say so."""
    key = _credentials(environ)["api_key"]
    call = Caller(url, key)
    _make_pipeline(call)
    trigger = _trigger(call)
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    say(f"Trigger it: POST {path}")
    began = time.monotonic()
    body = {"pipeline_run": {"variables": {"env": "demo", "min_containers": 120}}}
    run = call.request("POST", path, body, with_key=False)["pipeline_run"]
    run = _wait(call, run["id"])
    seconds = time.monotonic() - began
    say(f"Run {run['id']} is {run['status']} after {seconds:.2f} s:")
    for block in run["block_runs"]:
        say(f"  {block['block_uuid']:<12} {block['status']}")
    if run["status"] != "completed":
        raise DemoFailed(f"run {run['id']} of the demo ended as {run['status']}")
    _print_result(call, run)
    _demo_sync.load(call)
    _demo_report.load(call)
    _demo_leads.load(call)
    _demo_model.load(call)
    _demo_report.ask(call)
    _print_credentials(environ, url)
    say("\nStart the pipeline again as any Mage client would:")
    say(f"  curl -X POST {url}{path} -H 'Content-Type: application/json' \\")
    say('       -d \'{"pipeline_run": {"variables": {"min_containers": 150}}}\'')
    say("Read its runs over REST:")
    say(f"  curl '{url}/api/pipeline_runs?api_key={key}&_limit=1'")
    say("Ask the semantic model of the shop:")
    question = orjson.dumps({"query": _demo_model.QUESTION}).decode()
    say(f"  curl {url}/v2/load -H 'Authorization: {key}' \\")
    say(f"       -H 'Content-Type: application/json' -d '{question}'")
    say("and over GraphQL:")
    query = (
        '{"query": "{ pipelineRuns(first: 3) { nodes { number status steps { name status } } } }"}'
    )
    say(f"  curl {url}/v2/graphql -H 'X-API-Key: {key}' \\")
    say(f"       -H 'Content-Type: application/json' -d '{query}'\n")


def _make_pipeline(call: Caller) -> None:
    listed = call.request("GET", f"/api/pipelines?search={UUID}")["pipelines"]
    if any(pipeline["uuid"] == UUID for pipeline in listed):
        say(f"Pipeline {UUID} is there already.")
        return
    call.request("POST", "/api/pipelines", {"pipeline": {"name": PIPELINE, "type": "python"}})
    folder = resources.files("examples.demo") / "blocks"
    for name, kind, upstream in BLOCKS:
        code = (folder / f"{name.replace(' ', '_')}.py").read_text()
        block = {
            "name": name,
            "type": kind,
            "language": "python",
            "content": code,
            "upstream_blocks": list(upstream),
        }
        call.request("POST", f"/api/pipelines/{UUID}/blocks", {"block": block})
    say(f"Made pipeline {UUID} with blocks {', '.join(name for name, _, _ in BLOCKS)}.")


def _trigger(call: Caller) -> Any:
    path = f"/api/pipelines/{UUID}/pipeline_schedules"
    for schedule in call.request("GET", path)["pipeline_schedules"]:
        if schedule["schedule_type"] == "api":
            return schedule
    wanted = {"name": "by call", "schedule_type": "api", "status": "active"}
    return call.request("POST", path, {"pipeline_schedule": wanted})["pipeline_schedule"]


def _wait(call: Caller, number: int) -> Any:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        run = call.request("GET", f"/api/pipeline_runs/{number}")["pipeline_run"]
        if run["status"] in FINISHED:
            return run
        time.sleep(0.05)
    raise DemoFailed(f"run {number} did not end within {WAIT_S} s")


def _print_result(call: Caller, run: Any) -> None:
    log = "logs(first: 100) { nodes { step message } }"
    query = f"{{ pipelineRun(by: {{number: {run['id']}}}) {{ {log} }} }}"
    found = call.graphql(query)["pipelineRun"]
    say("Its log, by GraphQL:")
    for line in found["logs"]["nodes"]:
        say(f"  {line['step'] or 'run'}: {line['message']}")


def _credentials(environ: Mapping[str, str]) -> dict[str, str]:
    return _session.installation_facts(environ)


def _print_credentials(environ: Mapping[str, str], url: str) -> None:
    facts = _credentials(environ)
    say("\nTry next:")
    say(f"  Playground  {url}/v2/graphql#key={facts['api_key']}")
    say(f"  api_key     {facts['api_key']}")
    say(f"  Owner       {facts['username']}, password {facts['password']}")
