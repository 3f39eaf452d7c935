"""OLake's API on a real server with a real worker: a job's life, as programs and its web UI call."""

import asyncio
import io
import json
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import httpx2
import pytest

from tests.journeys.live import ISTHMUS, PASSWORD, Live, live
from tests.journeys.warehouse import warehouse
from tests.servers import SessionServers
from tests.workers.notify.sinks import HttpSink, http_sink

P = "/api/v1/project/olake"
UI = "/api/v1/project/123"
ROWS = 1000
SQL = (
    "CREATE TABLE ships (id int PRIMARY KEY, name text, seen timestamptz)",
    f"INSERT INTO ships SELECT n, 'ship ' || n, '2026-01-01' FROM generate_series(1, {ROWS}) AS n",
)


class Olake:
    """A server with a worker, and the database that is read."""

    def __init__(self, made: Live, variables: dict[str, str]) -> None:
        self.live = made
        self.canary = variables["WAREHOUSE_PASSWORD"]
        self.source = {
            "host": "localhost",
            "port": int(variables["WAREHOUSE_PORT"]),
            "database": variables["WAREHOUSE_DATABASE"],
            "username": variables["WAREHOUSE_USER"],
            "password": self.canary,
        }
        self.root = Path(made.environ["ISTHMUS_DATA_ROOT"])
        self.streams: dict[str, Any] = {}
        """The catalog of its tables, once it was looked for."""

    async def sql(self, *statements: str) -> None:
        """Run statements in the source."""
        con = await asyncpg.connect(
            host="127.0.0.1",
            port=self.source["port"],
            user=self.source["username"],
            password=self.canary,
            database=self.source["database"],
            ssl=False,
        )
        for statement in statements:
            await con.execute(statement)
        await con.close()

    def program(self) -> httpx2.Client:
        """A program: no cookies, a bearer token."""
        token = self.login().json()["data"]["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.live.url, headers=headers, timeout=60)

    def browser(self) -> httpx2.Client:
        """The web UI after its login: a cookie beside a bearer that is none."""
        made = httpx2.Client(base_url=self.live.url, timeout=60)
        sent = {"username": "admin", "password": PASSWORD}
        assert made.post("/login", json=sent).status_code == 200
        made.headers["Authorization"] = "Bearer authenticated"
        return made

    def login(self) -> httpx2.Response:
        """Sign in as the first owner."""
        sent = {"username": "admin", "password": PASSWORD}
        return httpx2.post(f"{self.live.url}/login", json=sent)

    def written(self, table: str) -> int:
        """Rows of all files below the data root that belong to a table."""
        files = [str(f) for f in self.root.rglob("*.parquet") if table in str(f)]
        assert files
        (found,) = duckdb.sql(f"SELECT count(*) FROM read_parquet({files})").fetchall()
        return int(found[0])


@pytest.fixture(scope="module")
def olake(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Olake]:
    folder = tmp_path_factory.mktemp("olake")
    with (
        warehouse(session_servers) as variables,
        live(
            session_servers,
            folder,
            authentication=True,
            ISTHMUS_DATA_ROOT=str(folder / "data"),
            ISTHMUS_KILL_GRACE_S="0.5",
        ) as made,
    ):
        found = Olake(made, variables)
        asyncio.run(found.sql(*SQL))
        yield found


def good(answer: httpx2.Response) -> Any:
    """The data of a good answer."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    return body["data"]


def until(check: Callable[[], Any], what: str, within_s: float = 60) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def ended(api: httpx2.Client, path: str) -> dict[str, Any]:
    """A job's newest task once it has ended."""

    def look() -> Any:
        (task, *_) = good(api.get(f"{path}/tasks"))
        return task if task["status"] not in ("Scheduled", "Running") else None

    return dict(until(look, "the task ends"))


def new_job(olake: Olake, api: httpx2.Client, name: str) -> int:
    """A job over all streams of the source, made as a program would."""
    source = {"type": "postgres", "version": "v0.9.4", "config": olake.source}
    if not olake.streams:
        sought = {**source, "job_name": "ships"}
        olake.streams = good(api.post(f"{P}/source/streams", json=sought))["streams_config"]
        for entry in olake.streams["streams"]:
            entry["stream"]["sync_mode"] = "full_refresh"
    writer = {"type": "PARQUET", "writer": {"local_path": name}}
    body = {
        "name": name,
        "source": {"name": f"{name} source", **source},
        "destination": {
            "name": f"{name} lake",
            "type": "parquet",
            "version": "v0.9.4",
            "config": writer,
        },
        "frequency": "",
        "streams_config": olake.streams,
    }
    answer = api.post(f"{P}/jobs", json=body)
    assert good(answer) == body
    return int(answer.headers["x-resource-id"])


def test_the_documented_way(olake: Olake) -> None:
    api = olake.program()
    sent = {"type": "postgres", "version": "v0.9.4", "config": olake.source}
    told = good(api.post(f"{P}/sources/test", json=sent))
    assert told["connection_result"] == {"message": "", "status": "SUCCEEDED"}
    assert {name: told[name] for name in sent} == sent
    tried = {**sent, "config": {**olake.source, "password": "no"}}
    result = good(api.post(f"{P}/sources/test", json=tried))["connection_result"]
    assert result["status"] == "FAILED" and result["message"]
    unreachable = {**sent, "config": {**olake.source, "port": 1}}
    answer = api.request("GET", f"{P}/source/streams", json=unreachable)
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Internal server error: ")
    by_post = good(api.post(f"{P}/source/streams", json=sent))
    by_get = good(api.request("GET", f"{P}/source/streams", json=sent))
    query = {**sent, "config": json.dumps(olake.source)}
    assert by_post == by_get == good(api.get(f"{P}/source/streams", params=query))
    bare = good(api.post(f"{P}/sources/streams", json={**sent, "job_id": -1, "job_name": "x"}))
    assert set(bare) >= {"selected_streams", "streams"}
    job = new_job(olake, api, "documented")
    path = f"{P}/jobs/{job}"
    assert good(api.post(f"{path}/sync")) is None
    (task,) = good(api.get(f"{path}/tasks"))
    assert task["job_type"] == "sync" and task["file_path"] == task["id"]
    task = ended(api, path)
    assert task["status"] == "Completed" and isinstance(task["runtime"], int)
    assert olake.written("documented") == ROWS
    for form in ("task", "tasks"):
        lines = good(api.get(f"{path}/{form}/{task['id']}/logs"))["task_logs"]
        assert all(set(line) == {"level", "time", "message"} for line in lines)
        messages = [line["message"] for line in lines]
        assert any(m.startswith(f"Total records read: {ROWS} |") for m in messages)
        assert "Sync completed, wait 5 seconds cleanup in progress..." in messages
    (item,) = [j for j in good(api.get(f"{P}/jobs")) if j["id"] == job]
    assert (item["last_run_state"], item["last_run_type"]) == ("Completed", "sync")
    assert item["last_run_time"]
    assert api.get(f"{path}/task/999999/logs").status_code == 404
    assert api.get(f"{P}/jobs/999999/tasks").status_code == 404


def test_the_web_uis_way(olake: Olake) -> None:
    ui = olake.browser()
    for path in ("/api/v1/platform/releases", "/api/v1/platform/opt/status", "/telemetry-id"):
        good(ui.get(path))
    good(ui.get(f"{UI}/jobs"))
    # A new source: the first connector asked for is mongodb, whatever is chosen then.
    for kind, types in (("sources", ("mongodb", "postgres")), ("destinations", ("parquet",))):
        good(ui.get(f"{UI}/{kind}"))
        for type_ in types:
            version = good(ui.get(f"{UI}/{kind}/versions", params={"type": type_}))["version"][0]
            more = {"source_type": "", "source_version": ""} if kind == "destinations" else {}
            spec = {"type": type_, "version": version, **more}
            told = good(ui.post(f"{UI}/{kind}/spec", json=spec))
            assert isinstance(told["spec"]["uischema"], str)
    config = json.dumps({**olake.source, "max_threads": 3, "retry_count": 3, "schemas": []})
    source = {"name": "ui_source", "type": "postgres", "version": version, "config": config}
    lake = json.dumps({"type": "PARQUET", "writer": {"local_path": "web_ui"}})
    target = {"name": "ui_lake", "type": "parquet", "version": version, "config": lake}
    for kind, new in (("source", source), ("destination", target)):
        ask = {"name": new["name"], "entity_type": kind}
        assert good(ui.post(f"{UI}/check-unique", json=ask)) == {"unique": True}
        told = good(ui.post(f"{UI}/{kind}s/test", json=new))
        assert told["connection_result"]["status"] == "SUCCEEDED", told
        assert isinstance(told["config"], str)
        good(ui.post(f"{UI}/{kind}s", json=new))
        assert ui.post(f"{UI}/check-unique", json=ask).status_code == 409
    (source,) = [s for s in good(ui.get(f"{UI}/sources")) if s["name"] == "ui_source"]
    (target,) = [d for d in good(ui.get(f"{UI}/destinations")) if d["name"] == "ui_lake"]
    assert source["jobs"] == target["jobs"] == []
    # A new job; the settings come back with handles in place of secrets, which is as good.
    assert "secret:" in source["config"] and olake.canary not in source["config"]
    ends = {}
    for kind, row in (("source", source), ("destination", target)):
        ends[kind] = {n: row[n] for n in ("id", "name", "type", "version", "config")}
        tested = ui.post(f"{UI}/{kind}s/test", json=ends[kind])
        assert good(tested)["connection_result"]["status"] == "SUCCEEDED"
    sought = {n: source[n] for n in ("name", "type", "version", "config")}
    sought |= {"job_id": -1, "job_name": "ui_job", "max_discover_threads": 50}
    catalog = good(ui.post(f"{UI}/sources/streams", json=sought))
    for entry in catalog["streams"]:
        entry["stream"]["sync_mode"] = "full_refresh"
    for entries in catalog["selected_streams"].values():
        for entry in entries:
            entry["disabled"] = False
    new = {"name": "ui_job", **ends, "streams_config": json.dumps(catalog)}
    new |= {"frequency": "0 * * * *", "advanced_settings": None}
    made = ui.post(f"{UI}/jobs", json=new)
    assert good(made) == new
    path = f"{UI}/jobs/{made.headers['x-resource-id']}"
    item = good(ui.get(path))
    assert isinstance(item["streams_config"], str) and isinstance(item["source"]["config"], str)
    assert good(ui.post(f"{path}/sync", json={})) is None
    # The history page looks for the task at once.
    assert good(ui.get(f"{path}/tasks"))[0]["job_type"] == "sync"
    task = ended(ui, path)
    assert task["status"] == "Completed"
    page = good(
        ui.post(
            f"{path}/tasks/1/logs",
            params={"cursor": -1, "limit": 1000, "direction": "older"},
            json={"file_path": task["file_path"]},
        )
    )
    assert page["has_more_older"] is False and page["older_cursor"] == 0 and page["logs"]
    download = f"{path}/logs/download"
    where = {"file_path": task["file_path"]}
    probe = ui.get(download, params=where, headers={"Range": "bytes=0-0"})
    assert probe.status_code == 206 and len(probe.content) == 1
    _is_the_log(ui.get(download, params=where), page["logs"])
    assert ui.get(download).status_code == 400
    assert ui.get(download, params={"file_path": "no"}).status_code == 404
    _edit_streams(ui, path, catalog)
    assert good(ui.get(f"{path}/cancel"))["message"]
    assert good(ui.post(f"{path}/clear-destination")) is None
    assert ended(ui, path)["job_type"] == "clear"
    assert good(ui.get(f"{path}/clear-destination")) == {"running": False}
    assert good(ui.post(f"{path}/activate", json={"activate": False})) == {"activate": False}
    good(ui.get(f"{UI}/settings"))
    assert good(ui.delete(path)) == {"name": "ui_job"}


def _is_the_log(answer: httpx2.Response, lines: list[Any]) -> None:
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="job-')
    assert answer.headers["cache-control"] == "no-cache"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    told = [json.loads(line) for line in files["logs/olake.log"].splitlines()]
    assert told == lines
    assert json.loads(files["state.json"])["version"] == 7


def _edit_streams(ui: httpx2.Client, path: str, catalog: dict[str, Any]) -> None:
    """Give a stream another table: what it had put elsewhere is cleared first."""
    assert good(ui.get(f"{path}/clear-destination")) == {"running": False}
    for entry in catalog["streams"]:
        entry["stream"]["destination_table"] = "fleet"
    ask = {"updated_streams_config": json.dumps(catalog)}
    differs = good(ui.post(f"{path}/stream-difference", json=ask))["difference_streams"]
    assert differs["streams"]
    job = good(ui.get(path))
    change = {n: job[n] for n in ("name", "source", "destination", "frequency")}
    change |= {"streams_config": json.dumps(catalog), "difference_streams": json.dumps(differs)}
    told = good(ui.put(path, json={**change, "activate": True, "advanced_settings": None}))
    assert told["activate"] is True
    assert ended(ui, path)["job_type"] == "clear"


def test_twenty_starts_make_one_task(olake: Olake) -> None:
    api = olake.program()
    job = new_job(olake, api, "crowded")
    olake.live.processes["worker"].send_signal(19)  # it takes nothing meanwhile
    try:
        with ThreadPoolExecutor(20) as pool:
            url = f"{P}/jobs/{job}/sync"
            codes = sorted(pool.map(lambda _: api.post(url).status_code, range(20)))
    finally:
        olake.live.processes["worker"].send_signal(18)
    assert codes == [200] + [409] * 19
    assert ended(api, f"{P}/jobs/{job}")["status"] == "Completed"
    assert len(good(api.get(f"{P}/jobs/{job}/tasks"))) == 1
    body = {"name": "same", "type": "postgres", "version": "v0.9.4", "config": olake.source}
    with ThreadPoolExecutor(20) as pool:
        sent = pool.map(lambda _: api.post(f"{P}/sources", json=body).status_code, range(20))
        assert sorted(sent) == [200] + [409] * 19


def test_starts_and_ends_are_told(olake: Olake) -> None:
    api = olake.program()
    with http_sink() as project, http_sink() as own:
        job = new_job(olake, api, "told")
        path = f"{P}/jobs/{job}"
        good(api.put(f"{P}/settings", json={"webhook_alert_url": project.url("/canary-hook")}))
        try:
            good(api.put(path, json={"advanced_settings": {"webhook_url": own.url()}}))
            own.answers = [503]
            good(api.post(f"{path}/sync"))
            assert ended(api, path)["status"] == "Completed"
            until(lambda: len(_of(project, job)) == 2 and len(own.posted) == 3, "both are told")
            first, last = sorted(_of(project, job), key=lambda body: body["rows"])
            assert (first["event"], first["rows"]) == ("sync.started", 0)
            assert (last["event"], last["rows"]) == ("sync.succeeded", ROWS)
            assert last["bytes"] > 0 and last["job"] == {"id": job, "name": "told"}
            assert {p.body["event"] for p in own.posted} == {"sync.started", "sync.succeeded"}
            # A failure says why, and nothing that is secret.
            good(api.put(path, json={"source": _broken(olake)}))
            good(api.post(f"{path}/sync"))
            assert ended(api, path)["status"] == "Failed"
            until(lambda: len(_of(project, job)) == 4, "the failure is told of")
            (told,) = [b for b in _of(project, job) if b["event"] == "sync.failed"]
            assert told["error"] and told["error"] in told["text"]
            assert "not-the-password" not in json.dumps(told)
        finally:
            good(api.put(f"{P}/settings", json={"webhook_alert_url": ""}))
        odd = {"advanced_settings": {"webhook_url": "ftp://x"}}
        assert api.put(path, json=odd).status_code == 400
    assert "canary-hook" not in olake.live.log.read_text()


def _of(sink: HttpSink, job: int) -> list[dict[str, Any]]:
    """What was told of a job; the project's address hears of others as well."""
    return [p.body for p in sink.posted if p.body["job"]["id"] == job]


def _broken(olake: Olake) -> dict[str, Any]:
    config = {**olake.source, "password": "not-the-password"}
    own = {"name": "told broken", "type": "postgres", "version": "v0.9.4"}
    return {**own, "config": config}


def shell(olake: Olake, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the server."""
    environ = {**olake.live.environ, "ISTHMUS_URL": olake.live.url}
    query = 'mutation { apiKeyCreate(input: {name: "shell"}) { token errors { message } } }'
    with olake.program() as api:
        made = api.post("/v2/graphql", json={"query": query}).json()["data"]["apiKeyCreate"]
    environ["ISTHMUS_CLIENT_KEY"] = made["token"]
    return subprocess.run(
        [*ISTHMUS, *words], env=environ, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_sync_from_the_shell(olake: Olake) -> None:
    api = olake.program()
    new_job(olake, api, "by hand")
    done = shell(olake, "sync", "by hand", "--follow")
    assert done.returncode == 0, done.stderr
    assert f"{ROWS:,} rows" in done.stdout and "has succeeded" in done.stdout
    odd = shell(olake, "sync", "nobody's")
    assert odd.returncode == 3 and "no job" in odd.stderr


def test_taking_a_folder_over(olake: Olake, tmp_path: Path) -> None:
    api = olake.program()
    sought = {"type": "postgres", "version": "v0.9.4", "config": olake.source}
    streams = good(api.post(f"{P}/sources/streams", json={**sought, "job_name": "moved"}))
    (entry,) = streams["streams"]
    entry["stream"] |= {"sync_mode": "incremental", "cursor_field": "id"}
    state = {"stream": "ships", "namespace": "public", "sync_mode": ""}
    state["state"] = {"chunks": [], "id": ROWS - 10}  # type: ignore[assignment]
    files = {
        "source": olake.source,
        "destination": {"type": "PARQUET", "writer": {"local_path": "moved"}},
        "streams": streams,
        "state": {"type": "STREAM", "version": 7, "streams": [state]},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    done = shell(olake, "import", "olake", str(tmp_path), "--type", "postgres", "--name", "moved")
    assert done.returncode == 0, done.stderr
    (job,) = good(api.get(f"{P}/jobs", params={"name": "moved"}))
    good(api.post(f"{P}/jobs/{job['id']}/sync"))
    task = ended(api, f"{P}/jobs/{job['id']}")
    assert task["status"] == "Completed"
    # What the state says is there is not read again.
    assert olake.written("moved") <= 11
    (tmp_path / "state.json").write_text("{")
    assert shell(olake, "import", "olake", str(tmp_path), "--name", "again").returncode != 0


@pytest.mark.long
def test_more_than_one_port(olake: Olake) -> None:
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    olake.live.start("second", "serve", *(w for p in ports for w in ("--port", str(p))))

    def answers(port: int) -> bool:
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
        return False

    until(lambda: all(answers(port) for port in ports), "both ports answer")
    taken = shell(olake, "serve", "--port", str(ports[0]))
    assert taken.returncode == 1 and "cannot listen" in taken.stderr


def test_no_secret_is_anywhere(olake: Olake) -> None:
    api = olake.program()
    for path in ("sources", "destinations", "jobs"):
        assert olake.canary not in api.get(f"{P}/{path}").text
    assert olake.canary not in olake.live.log.read_text()
