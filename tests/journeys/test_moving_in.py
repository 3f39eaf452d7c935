"""A team takes its Mage project over with commands, runs it, changes it, and takes it home."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.places import ROOT
from tests.journeys.live import ISTHMUS, Live
from tests.journeys.pipelines import Graph
from tests.workers.surroundings.test_requirements import make_wheel

SMALL = ROOT / "tests/data/mage/small"
TOKEN = "0123456789abcdef0123456789abcdef"
LOOK = """
import os
from pathlib import Path
from small.utils.words import greet
from utils.names import full

@transformer
def transform(people, *args, **kwargs):
    secret = Path(kwargs["repo_path"], "io_config.yaml")
    return {
        "greetings": [greet(person) for person in people] + [full("the end")],
        "secret": secret.read_text(),
        "mode": oct(secret.stat().st_mode & 0o777),
        "name": Path(kwargs["repo_path"]).name,
        "here": os.getcwd() == kwargs["repo_path"],
    }
"""


def command(made: Live, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Exit status of `isthmus` and what it said."""
    done = subprocess.run(
        [*ISTHMUS, *arguments],
        env=dict(made.environ),
        capture_output=True,
        input=typed,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The small project without what it needs of others: a condition, a broken trigger."""
    copied = tmp_path / "small"
    shutil.copytree(SMALL, copied)
    metadata = copied / "pipelines/greet/metadata.yaml"
    data = yaml.safe_load(metadata.read_text())
    del data["conditionals"]
    metadata.write_text(yaml.safe_dump(data))
    (copied / "transformers/greetings.py").write_text(LOOK)
    return copied


@pytest.fixture(scope="module")
def graph(own_server: Live) -> Any:
    """A caller with the api_key."""
    with own_server.client() as client:
        yield Graph(client)


def result(graph: Graph, run_id: str, block: str) -> Any:
    """What a block of a run returned; the run must succeed."""
    run = graph.ended(run_id)
    assert run["status"] == "SUCCEEDED", run
    (output,) = run["steps"][block]["outputs"]
    return dict(zip(output["sample"]["columns"], output["sample"]["rows"][0], strict=True))


def test_a_project_comes_in_runs_changes_and_goes_home(
    own_server: Live, graph: Graph, small: Path, tmp_path: Path
) -> None:
    status, said = command(own_server, "import", "mage", str(small), "--dry-run")
    assert status == 0 and "+ pipeline greet (2 blocks, 2 triggers)" in said, said
    status, said = command(own_server, "import", "mage", str(small))
    assert status == 1 and said.endswith("isthmus: Nobody can be asked here. Say --yes.")
    assert graph("{ pipelines { totalCount } }")["pipelines"]["totalCount"] == 0
    status, said = command(own_server, "import", "mage", str(small), "--yes")
    assert status == 0 and said.endswith("Done."), said

    status, said = command(own_server, "secret", "set", "small_host", typed="canary-host\n")
    assert (status, said) == (0, "The secret small_host of project default is set.")
    status, said = command(own_server, "import", "mage", str(small))
    assert status == 0 and said.endswith("Nothing to do.") and "small_host" not in said
    (trigger,) = graph('{ triggers(where: {name: {eq: "call"}}) { nodes { number token } } }')[
        "triggers"
    ]["nodes"]
    assert trigger["token"] == TOKEN
    with own_server.client() as client:
        path = f"/api/pipeline_schedules/{trigger['number']}/pipeline_runs/{TOKEN}"
        number = client.post(path, json={}).json()["pipeline_run"]["id"]
    run = graph("query($n: Int!) { pipelineRun(by: {number: $n}) { id } }", n=number)["pipelineRun"]
    seen = result(graph, run["id"], "greetings")
    assert seen == {
        "greetings": ["good day, Ada Lovelace", "good day, Grace Hopper", "The End"],
        "secret": (small / "io_config.yaml").read_text(),
        "mode": "0o600",
        "name": "small",
        "here": True,
    }

    words = small / "utils/words.py"
    words.write_text(words.read_text().replace("good day", "good night"))
    status, said = command(own_server, "import", "mage", str(small), "--yes")
    assert status == 0 and '+GREETING = "good night"' in said and "~ pipeline" not in said
    again = result(graph, graph.start("greet"), "greetings")
    assert again["greetings"][0] == "good night, Ada Lovelace"

    home = tmp_path / "home" / "small"
    status, said = command(own_server, "export", "mage", str(home))
    assert status == 0 and said.endswith("Done."), said
    assert (home / "transformers/greetings.py").read_text() == LOOK
    assert (home / "io_config.yaml").read_text() == (small / "io_config.yaml").read_text()
    status, said = command(own_server, "import", "mage", str(home), "--yes")
    assert status == 0 and said.endswith("Nothing to do."), said
    log = own_server.log.read_text()
    assert "canary-of-io-config" not in log and "canary-host" not in log


@pytest.mark.long
def test_a_worker_without_keys_starts_and_fails_runs_that_need_them(
    own_server: Live, graph: Graph
) -> None:
    uuid = graph.pipeline(
        "sees_files", {"one": ("@custom\ndef go(*a, **k):\n    return {'a': 1}\n", [])}
    )
    own_server.processes["worker"].terminate()
    assert own_server.processes["worker"].wait(30) == 0
    whole = own_server.environ
    own_server.environ = {k: v for k, v in whole.items() if k != "ISTHMUS_SECRET_KEYS"}
    try:
        own_server.start("worker", "worker")
        own_server.wait_until_ready()
        graph(
            'mutation { projectSecretSet(input: {name: "n", value: "v"}) { errors { message } } }'
        )
        run = graph.ended(graph.start(uuid))
        assert (run["status"], run["reason"]) == ("FAILED", "project_files")
        assert "this worker has no ISTHMUS_SECRET_KEYS" in run["error"]
    finally:
        own_server.environ = whole
        own_server.processes["worker"].terminate()
        own_server.processes["worker"].wait(30)
        own_server.start("worker", "worker")
        own_server.wait_until_ready()


@pytest.mark.long
def test_a_worker_installs_what_a_project_requires(
    own_server: Live, graph: Graph, tmp_path: Path
) -> None:
    code = "import isthmus_probe\n@custom\ndef go(*a, **k):\n    return {'n': isthmus_probe.NAME}\n"
    uuid = graph.pipeline("requires", {"one": (code, [])})
    make_wheel(tmp_path)
    text = f"--no-index\n--find-links {tmp_path}\nisthmus-probe\n"
    graph(
        'mutation($c: String!) { projectFileSet(input: {path: "requirements.txt", content: $c}) '
        "{ errors { message } } }",
        c=text,
    )
    before = graph.ended(graph.start(uuid))
    assert "No module named 'isthmus_probe'" in before["error"]
    python = _environment_on_top(tmp_path / "venv")
    own_server.processes["worker"].terminate()
    assert own_server.processes["worker"].wait(30) == 0
    log = own_server.log.open("ab")
    own_server.processes["worker"] = subprocess.Popen(
        [python, *ISTHMUS[1:], "worker", "--install"],
        env=dict(own_server.environ),
        stdout=log,
        stderr=log,
        cwd=ROOT,
    )
    own_server.wait_until_ready()
    assert result(graph, graph.start(uuid), "one") == {"n": "probe"}


def _environment_on_top(folder: Path) -> str:
    """An environment of its own that has all that this one has; its interpreter."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    beneath = [path for path in sys.path if path.endswith("site-packages")]
    (site / "beneath.pth").write_text("\n".join([*beneath, str(ROOT)]))
    return str(folder / "bin" / "python")
