"""A pipeline's end is told by a real worker to real servers, again where they were away."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.journeys.live import Live
from tests.journeys.pipelines import Graph
from tests.workers.notify.sinks import HttpSink, http_sink, smtp_sink

CANARY = "c4nary-of-a-webhook"
FAILS = "@custom\ndef work(*args, **kwargs):\n    raise KeyError('harbour')\n"
SLEEPS = "import time\n@custom\ndef work(*args, **kwargs):\n    time.sleep(5)\n"
NOTIFICATIONS = """{ runs(where: {kind: {eq: NOTIFICATION}}, first: 100) { nodes {
  kind status attempt error waitReason logs(first: 10) { nodes { level message } }
  ... on NotificationRun { event channel aboutNumber pipeline { uuid } }
} } }"""


def configure(graph: Graph, uuid: str, config: dict[str, Any]) -> None:
    """Set who is told."""
    changed = graph(
        "mutation($u: String!, $c: JSON!) { pipelineUpdate(input: {by: {uuid: $u}, "
        "notificationConfig: $c}) { errors { message } } }",
        u=uuid,
        c=config,
    )
    assert changed["pipelineUpdate"]["errors"] == []


def eventually(check: Callable[[], Any], what: str, within_s: float = 60) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)
    return found


def about(graph: Graph, uuid: str) -> list[Any]:
    """The notifications about a pipeline's runs that have ended."""
    nodes = graph(NOTIFICATIONS)["runs"]["nodes"]
    return [n for n in nodes if n["pipeline"]["uuid"] == uuid and n["status"] != "QUEUED"]


def test_a_failure_reaches_every_channel_and_an_outage_only_delays_it(live_server: Live) -> None:
    with live_server.client() as client, http_sink() as http, smtp_sink() as smtp:
        graph = Graph(client)
        uuid = graph.pipeline("told of failure", {"load calls": (FAILS, [])})
        mailbox = {
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp.port,
            "smtp_mail_from": "isthmus@example.org",
            "smtp_starttls": False,
            "smtp_password": CANARY,
            "to_emails": ["me@example.org"],
        }
        config = {
            "slack_config": {"webhook_url": http.url(f"/{CANARY}")},
            "email_config": mailbox,
            "opsgenie_config": {"api_key": CANARY},
            "message_templates": {"failure": {"details": "{pipeline_uuid}: {error}"}},
        }
        configure(graph, uuid, config)
        http.answers = [503]
        run = graph.ended(graph.start(uuid))
        assert run["status"] == "FAILED"
        # The first try is refused; the second comes after about two seconds.
        eventually(lambda: len(http.posted) == 2, "the webhook is tried again")
        eventually(lambda: len(about(graph, uuid)) == 3, "all notifications are there")

        def settled() -> Any:
            found = {n["channel"]: n for n in about(graph, uuid)}
            return found if all(n["status"] != "RUNNING" for n in found.values()) else None

        notes = eventually(settled, "all notifications have ended")
        slack, email, opsgenie = (notes[c] for c in ("SLACK", "EMAIL", "OPSGENIE"))
        assert (slack["status"], slack["attempt"]) == ("SUCCEEDED", 2)
        assert [line["level"] for line in slack["logs"]["nodes"]] == ["ERROR", "INFO"]
        assert (email["status"], email["attempt"]) == ("SUCCEEDED", 1)
        assert (opsgenie["status"], opsgenie["attempt"]) == ("FAILED", 1)
        assert "not offered" in opsgenie["error"]
        assert {n["event"] for n in notes.values()} == {"TRIGGER_FAILURE"}
        assert {n["aboutNumber"] for n in notes.values()} == {run["number"]}
        assert "load_calls: 'harbour'" in http.posted[-1].body["text"]
        assert uuid in http.posted[-1].body["text"]
        assert str(smtp.mails[0].get_payload(decode=True), "utf-8").startswith(uuid)
        assert CANARY not in json.dumps(notes)
        assert CANARY not in live_server.log.read_text()


def test_a_run_that_passes_its_sla_is_told_of_while_it_runs(live_server: Live) -> None:
    with live_server.client() as client, http_sink() as http:
        graph = Graph(client)
        uuid = graph.pipeline("late", {"slow": (SLEEPS, [])})
        hook = {"webhook_config": {"url": http.url()}}
        configure(graph, uuid, {**hook, "alert_on": ["trigger_passed_sla", "trigger_success"]})
        trigger = graph(
            'mutation($u: String!) { triggerCreate(input: {pipeline: {uuid: $u}, name: "sla", '
            "type: API, status: ACTIVE, sla: 3}) { trigger { number } errors { message } } }",
            u=uuid,
        )["triggerCreate"]["trigger"]["number"]
        run_id = graph(
            "mutation($t: Int!) { pipelineRunCreate(input: {of: {trigger: {number: $t}}}) "
            "{ run { id } errors { message } } }",
            t=trigger,
        )["pipelineRunCreate"]["run"]["id"]
        assert eventually(lambda: events(http), "the sla is told of") == ["trigger_passed_sla"]
        assert http.posted[0].body["status"] == "running"
        graph.ended(run_id)
        eventually(lambda: len(events(http)) == 2, "the end is told of")
        assert events(http) == ["trigger_passed_sla", "trigger_success"]
        late = "query($id: ID!) { run(id: $id) { ... on PipelineRun { passedSla } } }"
        assert graph(late, id=run_id)["run"]["passedSla"] is True


def events(http: HttpSink) -> list[str]:
    """What has been told, in order."""
    return [posted.body["event"] for posted in http.posted]
