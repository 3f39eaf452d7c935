"""`isthmus run` and `isthmus logs`, the real program against a real installation."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.access.installation import home_ring
from app.embedded import EmbeddedServers
from app.embedded.process import die_with_parent
from tests.journeys.live import API_KEY, ISTHMUS, Live, live
from tests.journeys.pipelines import Graph
from tests.servers import SessionServers, open_folder

SHOWS = (
    "import time\n@custom\ndef work(*args, **kwargs):\n    time.sleep(0.3)\n"
    "    print('number', repr(kwargs.get('number')))\n    print('word', repr(kwargs.get('word')))\n"
)
FAILS = "@custom\ndef work(*args, **kwargs):\n    raise ValueError('no harbour')\n"
SLOW = (
    "import time\n@custom\ndef work(*args, **kwargs):\n"
    "    for number in range(60):\n        print('tick', number)\n        time.sleep(0.1)\n"
)


@pytest.fixture(scope="module")
def made(live_server: Live) -> Live:
    """The installation with the pipelines `shows`, `fails` and `counting`."""
    with live_server.client() as client:
        graph = Graph(client)
        graph.pipeline("shows", {"one": (SHOWS, []), "two": (SHOWS, ["one"])})
        graph.pipeline("fails", {"bad": (FAILS, []), "after": (SHOWS, ["bad"])})
        graph.pipeline("counting", {"ticks": (SLOW, [])})
    return live_server


def environ(made: Live, **more: str) -> dict[str, str]:
    """What the client needs: an address and a key, no database."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "ISTHMUS_URL": made.url,
        "ISTHMUS_CLIENT_KEY": API_KEY,
        **more,
    }


@dataclass
class Done:
    """How a command ended."""

    status: int
    out: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """Its output."""
        return self.out.splitlines()


def isthmus(made: Live, *arguments: str, **more: str) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [*ISTHMUS, *arguments],
        env=environ(made, **more),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def begin(made: Live, *arguments: str) -> subprocess.Popen[str]:
    """Start a command."""
    die = die_with_parent(signal.SIGKILL)

    def as_from_a_shell() -> None:
        hear_control_c()
        die()

    return subprocess.Popen(
        [*ISTHMUS, *arguments],
        env=environ(made),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_from_a_shell,
    )


def hear_control_c() -> None:
    """For a child: tests that run in the background have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """Its lines up to one that holds `wanted`."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line.rstrip("\n"))
        if wanted in line:
            return seen
    assert process.stderr
    raise AssertionError(f"no {wanted!r} in {seen}\n{process.stderr.read()}")


def ended(process: subprocess.Popen[str], within_s: float) -> tuple[str, str]:
    """What it has still to say, on both streams. `communicate` would lose lines that `until` holds."""
    assert process.stdout
    assert process.stderr
    timer = threading.Timer(within_s, process.kill)
    timer.start()
    try:
        said = process.stdout.read(), process.stderr.read()
        process.wait()
    finally:
        timer.cancel()
    return said


def test_a_run_shows_steps_and_lines_and_ends_with_zero(made: Live) -> None:
    given = ("--var", "number=1.5", "--vars-json", '{"word": "a", "number": 9}')
    done = isthmus(made, "run", "shows", *given)
    assert done.status == 0, done.errors
    name = re.match(r"(Run \d+ of shows) is queued\.", done.out)
    assert name, done.out
    assert done.lines[-1] == f"{name[1]} has succeeded"
    for step in ("one", "two"):
        states = [line for line in done.lines if line.startswith(f"  {step}: ")]
        assert states[-2:] == [f"  {step}: running", f"  {step}: succeeded"]
        said = [line for line in done.lines if line.startswith(f"{step} | ")]
        assert said == [f"{step} | number 1.5", f"{step} | word 'a'"]
    assert "\x1b" not in done.out


def test_a_variable_that_is_no_json_is_text(made: Live) -> None:
    done = isthmus(made, "run", "Shows", "--var", "word=x=y", "--var", 'number={"a": [1]}')
    assert done.status == 0, done.errors
    assert "one | word 'x=y'" in done.lines
    assert "one | number {'a': [1]}" in done.lines


def test_a_failed_run_ends_with_one_and_says_why(made: Live) -> None:
    done = isthmus(made, "run", "fails")
    assert done.status == 1, done.errors
    assert "  bad: failed" in done.lines
    assert any(line.startswith("  bad failed: ") and "no harbour" in line for line in done.lines)
    assert "has failed" in done.lines[-1]


def test_a_run_that_another_cancels_ends_with_two(made: Live) -> None:
    process = begin(made, "run", "counting")
    first = until(process, "ticks | tick 0")[0]
    number = first.split()[1]
    cancel = "mutation($n: Int!) { pipelineRunCancel(input: {by: {number: $n}}) { run { id } } }"
    with made.client() as client:
        Graph(client)(cancel, n=int(number))
    out, errors = ended(process, 60)
    assert process.returncode == 2, errors
    assert out.splitlines()[-1] == f"Run {number} of counting has been cancelled"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing"], "does not exist"),
        (["logs", "999999999"], "There is no run"),
        (["logs", "99999999999999"], "There is no run"),
        (["logs", "nonsense"], "There is no such run"),
        (["run", "shows", "--key", "wrong"], "isthmus: "),
        (["run", "shows", "--key", "a\nb"], "isthmus: "),
        (["run", "shows", "--url", "http://127.0.0.1:9"], "does not answer"),
        (["run", "shows", "--url", "nonsense"], "isthmus: "),
    ],
)
def test_what_cannot_be_done_ends_with_three_and_one_line(
    made: Live, arguments: list[str], message: str
) -> None:
    done = isthmus(made, *arguments)
    assert done.status == 3, done
    assert message in done.errors
    assert len(done.errors.splitlines()) == 1
    assert done.out == ""


def test_a_key_of_this_machine_is_not_sent_to_another(made: Live) -> None:
    arguments = ["run", "shows", "--url", "http://192.0.2.1:6789"]
    done = isthmus(made, *arguments, ISTHMUS_CLIENT_KEY="")
    assert done.status == 3
    assert "Give the key of that server" in done.errors


@pytest.mark.parametrize("wrong", [["--var", "x"], ["--vars-json", "["], ["--vars-json", "[]"]])
def test_variables_that_cannot_be_read_are_a_usage_error(made: Live, wrong: list[str]) -> None:
    done = isthmus(made, "run", "shows", *wrong)
    assert done.status == 2
    assert "--var" in done.errors


def test_logs_show_what_a_run_wrote_once_it_is_over_and_while_it_goes_on(made: Live) -> None:
    started = isthmus(made, "run", "shows", "--no-follow")
    assert started.status == 0, started.errors
    number = started.out.split()[1]
    followed = isthmus(made, "logs", number, "--follow")
    assert followed.status == 0, followed.errors
    assert followed.lines[-1] == f"Run {number} of shows has succeeded"
    lines = [line for line in followed.lines if " | " in line]
    assert len(lines) == 4
    again = isthmus(made, "logs", number)
    assert again.lines == [f"Run {number} of shows is succeeded.", *lines]


def test_a_long_log_is_shown_whole(made: Live) -> None:
    code = "@custom\ndef work(*args, **kwargs):\n    for n in range(250):\n        print('n', n)\n"
    with made.client() as client:
        graph = Graph(client)
        run = graph.ended(graph.start(graph.pipeline("long", {"a": (code, [])})))
    done = isthmus(made, "logs", run["id"])
    assert done.lines[1:] == [f"a | n {n}" for n in range(250)]


@pytest.fixture
def own(session_servers: SessionServers, tmp_path: Path) -> Iterator[Live]:
    """An installation whose processes the test may stop."""
    with live(session_servers, tmp_path, authentication=False) as installation:
        with installation.client() as client:
            Graph(client).pipeline("slow", {"ticks": (SLOW, [])})
        yield installation


@pytest.mark.long
def test_it_says_why_it_waits_and_survives_a_restart_of_the_server(own: Live) -> None:
    own.processes["worker"].terminate()
    own.processes["worker"].wait(30)
    process = begin(own, "run", "slow")
    waiting = until(process, "waits: ")[-1]
    assert "no worker is there" in waiting
    own.start("worker", "worker")
    until(process, "tick 5")
    port = own.url.rsplit(":", 1)[1]
    own.processes["serve"].send_signal(signal.SIGKILL)
    own.processes["serve"].wait()
    own.start("serve", "serve", "--port", port)
    out, errors = ended(process, 90)
    assert process.returncode == 0, errors
    ticks = [line for line in out.splitlines() if line.startswith("ticks | ")]
    assert ticks == [f"ticks | tick {n}" for n in range(6, 60)]


class Terminal:
    """A command on a terminal."""

    def __init__(self, made: Live, *arguments: str) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            hear_control_c()
            os.execvpe(ISTHMUS[0], [*ISTHMUS, *arguments], environ(made, TERM="xterm"))
        self.seen = ""

    def until(self, wanted: str, within_s: float = 60) -> None:
        """Read until this is on the screen."""
        deadline = time.monotonic() + within_s
        while wanted not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._file], [], [], 0.2)[0]:
                text = self._read()
                assert text, f"it has ended: {self.seen}"
                self.seen += text

    def type(self, text: str) -> None:
        """Press keys."""
        self.seen = ""
        os.write(self._file, text.encode())

    def wait(self) -> int:
        """Its exit status."""
        while text := self._read():
            self.seen += text
        os.close(self._file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> str:
        try:
            return os.read(self._file, 4096).decode(errors="replace")
        except OSError:  # the other side is closed
            return ""


def test_a_terminal_has_a_last_line_and_control_c_can_leave_or_cancel_the_run(made: Live) -> None:
    terminal = Terminal(made, "run", "counting")
    terminal.until("0/1 blocks  ticks")
    assert "\r\x1b[K" in terminal.seen
    number = re.findall(r"Run (\d+) of counting", terminal.seen)[0]
    terminal.type("\x03")
    terminal.until("[y/N]")
    terminal.type("n\n")
    assert terminal.wait() == 130
    assert f"isthmus logs {number} --follow" in terminal.seen

    terminal = Terminal(made, "logs", number, "--follow")
    terminal.until("tick")
    terminal.type("\x03")
    terminal.until("[y/N]")
    terminal.type("y\n")
    assert terminal.wait() == 2
    assert f"Run {number} of counting has been cancelled" in terminal.seen


@pytest.mark.long
def test_control_c_without_a_terminal_leaves_the_run_alone(made: Live) -> None:
    process = begin(made, "run", "counting")
    number = until(process, "tick 0")[0].split()[1]
    process.send_signal(signal.SIGINT)
    out, errors = ended(process, 30)
    assert process.returncode == 130, errors
    assert f"isthmus logs {number} --follow" in out
    with made.client() as client:
        query = "query($n: Int!) { pipelineRun(by: {number: $n}) { id } }"
        graph = Graph(client)
        run_id = graph(query, n=int(number))["pipelineRun"]["id"]
        assert graph.ended(run_id)["status"] == "SUCCEEDED"


@pytest.mark.long
def test_the_key_of_a_running_dev_is_found_by_its_home() -> None:
    with open_folder() as folder, EmbeddedServers(folder / "home", durable=False) as servers:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        home = {"PATH": os.environ["PATH"], "ISTHMUS_HOME": str(folder / "home")}
        serving = {
            **home,
            "DATABASE_URL": servers.urls.database_url,
            "REDIS_URL": servers.urls.redis_url,
            "ISTHMUS_SECRET_KEYS": home_ring(folder / "home"),
            "REQUIRE_USER_AUTHENTICATION": "false",
        }
        url = f"http://127.0.0.1:{port}"
        running = Live(url, servers.urls.database_url, serving, folder / "log")
        try:
            assert running.start("migrate", "migrate").wait(60) == 0, running.log.read_text()
            running.start("serve", "serve", "--port", str(port))
            deadline = time.monotonic() + 60
            while True:
                done = subprocess.run(
                    [*ISTHMUS, "run", "nothing", "--url", url],
                    env=home,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                if "does not answer" not in done.stderr or time.monotonic() > deadline:
                    break
        finally:
            running.stop()
        # The key was good enough to be told that there is no such pipeline.
        assert (done.returncode, done.stdout) == (3, "")
        assert "does not exist" in done.stderr
