"""What stood on the recorded server between the recordings, made again before each that needs it."""

import time
from collections.abc import Callable
from typing import Any

import httpx2

from tests.journeys.live import Live
from tests.rest_compat.replay import RECORDINGS, request_of

LOAD = RECORDINGS[243]["response"]["block"]["content"]
CLEAN = RECORDINGS[98]["body"]["block"]["content"]
EXPORT = "@data_exporter\ndef export(df, *args, **kwargs):\n    print('rows')\n    print(len(df))\n"
WAIT = (
    "import time\n@data_loader\ndef load(*args, **kwargs):\n"
    "    time.sleep(kwargs.get('sleep', 0))\n    return [1, 2, 3]\n"
)
BOOM = (
    "import time\n@transformer\ndef boom(data, *args, **kwargs):\n    time.sleep(0.5)\n"
    "    return data\n\n"
    "@test\ndef test_output(output, *args):\n    assert len(output) == 3\n"
)
KEEP = "@data_exporter\ndef keep(data, *args, **kwargs):\n    return data\n"
FORTY_TWO = "@data_loader\ndef f(*a, **k):\n    return 42\n"
PASS = "@transformer\ndef g(data, *a, **k):\n    return data\n"
ENDED = ("completed", "failed", "cancelled")


class Server:
    """The installation under test, what the placeholders stand for, and other numbers than there."""

    def __init__(self, installation: Live, client: httpx2.Client) -> None:
        self.installation = installation
        self.client = client
        self.placeholders = {"api_key": installation.api_key}
        self.aliases: dict[str, str] = {}
        self.remembered: dict[str, Any] = {}

    def replay(self, recording: dict[str, Any]) -> httpx2.Response:
        """Send a recorded request, with our own numbers where they differ."""
        sent = request_of(recording, self.placeholders)
        for theirs, ours in self.aliases.items():
            sent["url"] = sent["url"].replace(theirs, ours)
        return self.client.request(**sent)

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The object in an answer that must be good."""
        headers = {"X-API-KEY": self.placeholders["api_key"]}
        answer = self.client.request(method, path, json=body, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json(), answer.text
        return next(iter(answer.json().values()))

    def pipeline(self, name: str, *blocks: tuple[str, str, str], **attributes: Any) -> None:
        """A pipeline of blocks (name, type, content) in a row, each fed by the one before."""
        uuid = self("POST", "/api/pipelines", {"pipeline": {"name": name, **attributes}})["uuid"]
        before: list[str] = []
        for block, kind, content in blocks:
            made = {"name": block, "type": kind, "upstream_blocks": before}
            given = {"content": content} if content else {}
            before = [
                self("POST", f"/api/pipelines/{uuid}/blocks", {"block": made | given})["uuid"]
            ]

    def block(self, name: str, kind: str, **attributes: Any) -> None:
        """A block of arwen_starlight."""
        block = {"name": name, "type": kind, **attributes}
        self("POST", "/api/pipelines/arwen_starlight/blocks", {"block": block})

    def schedule(self, pipeline: str, **attributes: Any) -> dict[str, Any]:
        """A trigger of a pipeline."""
        path = f"/api/pipelines/{pipeline}/pipeline_schedules"
        return dict(self("POST", path, {"pipeline_schedule": attributes}))

    def start(self, body: Any = None) -> int:
        """Start a run with the token that is used at present."""
        made = self(
            "POST",
            f"/api/pipeline_schedules/{self.remembered['schedule']}/pipeline_runs/"
            f"{self.placeholders['trigger_token']}",
            body,
        )
        return int(made["id"])

    def wait(self, number: int, *statuses: str, block: str | None = None) -> None:
        """Return once a run, or a block run of it, has one of the statuses."""
        deadline = time.monotonic() + 60
        while True:
            run = self("GET", f"/api/pipeline_runs/{number}")
            found = {b["block_uuid"]: b["status"] for b in run["block_runs"]}
            now = found.get(block) if block else run["status"]
            if now in statuses:
                return
            assert time.monotonic() < deadline, f"run {number} is {now}"
            time.sleep(0.05)

    def use(self, schedule: dict[str, Any]) -> None:
        """Start runs of this trigger from now on."""
        self.placeholders["trigger_token"] = schedule["token"]
        self.remembered["schedule"] = schedule["id"]


def _example(server: Server) -> None:
    server.pipeline(
        "example_pipeline",
        ("load_titanic", "data_loader", ""),
        ("fill_in_missing_values", "transformer", ""),
        ("export_titanic_clean", "data_exporter", ""),
    )


def _more_pipelines(server: Server) -> None:
    # A type that does not exist is refused here.
    server.pipeline("bad type")
    server.pipeline("stream one", type="streaming")
    server.pipeline("unknown attr", bogus=1)


def _described(server: Server) -> None:
    change = {"description": "evening star", "tags": ["elf"]}
    server("PUT", "/api/pipelines/arwen_starlight", {"pipeline": change})


def _export_data(server: Server) -> None:
    content = RECORDINGS[133]["response"]["pipeline"]["blocks"][2]["content"]
    server.block("export_data", "data_exporter", content=content, upstream_blocks=["clean_data"])


def _sensor(server: Server) -> None:
    server.block("wait_for_it", "sensor")


def _gate(server: Server) -> None:
    server.block("gate", "conditional")


def _transformer(server: Server) -> None:
    server.block("t default", "transformer")


def _updated(server: Server) -> None:
    block = server("GET", "/api/pipelines/arwen_starlight/blocks/load_data")
    server.remembered["content"] = block["content"]


def _renamed(server: Server) -> None:
    path = "/api/pipelines/arwen_starlight/blocks/t_default"
    server("PUT", path, {"block": {"name": "t renamed"}})


def _unlinked(server: Server) -> None:
    path = "/api/pipelines/arwen_starlight/blocks/t_renamed"
    server("PUT", path, {"block": {"upstream_blocks": []}})
    server.block("notes", "markdown", language="markdown")


def _flow_one(server: Server) -> None:
    server.pipeline(
        "flow one",
        ("f load", "data_loader", LOAD),
        ("f clean", "transformer", CLEAN),
        ("f export", "data_exporter", EXPORT),
    )


def _api_one(server: Server) -> None:
    variables = {"schema": "from_trigger", "keep": "yes"}
    made = server.schedule("flow_one", name="api one", schedule_type="api", variables=variables)
    server.use(made)


def _hourly(server: Server) -> None:
    hourly = {"schedule_type": "time", "schedule_interval": "@hourly"}
    server.schedule("flow_one", name="daily run", **hourly)


def _always(server: Server) -> None:
    always = {"schedule_type": "time", "schedule_interval": "@always_on"}
    server.schedule("flow_one", name="always", **always)


def _without_the_eighth(server: Server) -> None:
    last = server("GET", "/api/pipeline_schedules")[-1]
    assert last["name"] == "x"
    server("DELETE", f"/api/pipeline_schedules/{last['id']}")


def _second_run(server: Server) -> None:
    event = {"event": "ring", "count": 3}
    server.start({"pipeline_run": {"variables": {"env": "prod"}}, **event})


def _fourth_run(server: Server) -> None:
    server.start({"pipeline_run": {}})


def _runs_have_ended(server: Server) -> None:
    for number in range(1, 7):
        server.wait(number, *ENDED)


def _flow_fail(server: Server) -> None:
    server.pipeline(
        "flow fail",
        ("ff load", "data_loader", WAIT),
        ("ff boom", "transformer", BOOM),
        ("ff after", "data_exporter", KEEP),
    )
    slow = {"name": "ff slow", "type": "data_loader", "content": WAIT}
    server("POST", "/api/pipelines/flow_fail/blocks", {"block": slow})
    active = {"schedule_type": "api", "status": "active"}
    made = server.schedule("flow_fail", name="ff api", **active)
    server.aliases["/pipeline_schedules/8"] = f"/pipeline_schedules/{made['id']}"
    server.use(made)
    assert server.start({}) == 7
    server.wait(7, "failed")


def _seventh_has_failed(server: Server) -> None:
    server.wait(7, "failed")


def _failed_go_on(server: Server) -> None:
    server.wait(8, "failed")
    change = {"status": "retry_incomplete_block_runs"}
    server("PUT", "/api/pipelines/flow_fail", {"pipeline": change})
    for number in (7, 8):
        server.wait(number, "failed")


def _sleeps(server: Server, number: int) -> None:
    for block in ("ff_load", "ff_slow"):
        server.wait(number, "running", block=block)


def _ninth_is_cancelled(server: Server) -> None:
    assert server.start({"pipeline_run": {"variables": {"sleep": 60}}}) == 9
    _sleeps(server, 9)
    server("PUT", "/api/pipeline_runs/9", {"pipeline_run": {"status": "cancelled"}})
    server.wait(9, "cancelled")


def _another_waits(server: Server) -> None:
    # There, this run and the last one are looked at before the scheduler has looked.
    worker = server.installation.processes["worker"]
    worker.terminate()
    worker.wait(30)
    number = server.start({"pipeline_run": {"variables": {"sleep": 1}}})
    # The real server gives the number of a deleted run to the next one.
    server.aliases["/pipeline_runs/9"] = f"/pipeline_runs/{number}"


def _inactive(server: Server) -> None:
    server("PUT", "/api/pipelines/flow_fail", {"pipeline": {"status": "inactive"}})


def _without_its_trigger(server: Server) -> None:
    server("DELETE", server.aliases["/pipeline_schedules/8"].join(("/api", "")))


def _flow_two(server: Server) -> None:
    server("DELETE", "/api/pipelines/arwen_starlight")
    server("DELETE", "/api/pipelines/flow_fail")
    server.pipeline(
        "flow two", ("ft one", "data_loader", FORTY_TWO), ("ft two", "transformer", PASS)
    )


def _fresh(server: Server) -> None:
    (made,) = server("GET", "/api/pipelines/flow_two/pipeline_schedules")
    server.aliases["/pipeline_schedules/30"] = f"/pipeline_schedules/{made['id']}"
    server.use(made)


def _its_run(server: Server) -> None:
    newest = server("GET", "/api/pipeline_runs", _limit=1)[0]
    server.aliases["/pipeline_runs/32"] = f"/pipeline_runs/{newest['id']}"
    server("DELETE", "/api/pipelines/flow_three")


def _active_ones(server: Server) -> None:
    names = ["sem cbf", "sem cond", "sem dyn", "sem retry", "sem sensor"]
    for name in [*names, "sem test", "sem timeout", "sem tuple", "sem vars", "sem wide"]:
        server.pipeline(name)
        for _ in range(2):
            active = {"schedule_type": "api", "status": "active"}
            server.schedule(name.replace(" ", "_"), name="api", **active)


def _coloured(server: Server) -> None:
    variable = {"variable": {"name": "color", "value": "blue"}}
    made = server("POST", "/api/pipelines/flow_one/variables", variable)
    assert (made["name"], made["value"]) == ("color", "blue")


def _lunar(server: Server) -> None:
    path = "/api/pipelines/flow_one/pipeline_schedules"
    schedule = {"name": "moon", "schedule_type": "lunar"}
    headers = {"X-API-KEY": server.placeholders["api_key"]}
    answer = server.client.post(path, json={"pipeline_schedule": schedule}, headers=headers)
    assert answer.json()["error"]["type"] == "record_invalid"


PREPARE: dict[int, Callable[[Server], None]] = {
    48: _example,
    63: _more_pipelines,
    77: _described,
    100: _export_data,
    102: _sensor,
    106: _gate,
    110: _transformer,
    120: _updated,
    122: _renamed,
    133: _unlinked,
    137: _flow_one,
    139: _api_one,
    141: _hourly,
    147: _always,
    150: _without_the_eighth,
    167: _second_run,
    169: _fourth_run,
    181: _runs_have_ended,
    246: _flow_fail,
    248: _seventh_has_failed,
    249: _seventh_has_failed,
    252: _failed_go_on,
    254: _ninth_is_cancelled,
    260: _another_waits,
    263: _inactive,
    266: _without_its_trigger,
    183: _flow_two,
    187: _fresh,
    194: _its_run,
    196: _active_ones,
    200: _coloured,
    270: _lunar,
}
"""What must have happened just before a recording."""
