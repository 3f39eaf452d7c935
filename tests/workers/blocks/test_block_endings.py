"""However a block ends, its whole process tree ends with it and the worker learns why."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from workers.pipelines.calls import LogRecord
from workers.pipelines.fork_server import ForkServer

# Writes its process id; `spawn` starts grandchildren, one of which leaves session and parents.
PRELUDE = """
import os, signal, subprocess, sys, time
def note(pid=None):
    with open('pids', 'a') as file:
        file.write(f'{pid or os.getpid()}\\n')
def spawn():
    note(subprocess.Popen(['sleep', '100']).pid)
    note(subprocess.Popen(['sleep', '100'], start_new_session=True).pid)
    # A daemon in full: its parent is gone at once.
    code = "import os; os.setsid(); pid = os.fork()\\n"
    code += "if pid: os.write(1, str(pid).encode()); os._exit(0)\\n"
    code += "os.close(1); os.execvp('sleep', ['sleep', '100'])"
    note(subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True).stdout)
def ignore():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


def body(*lines: str) -> str:
    return PRELUDE + "@data_loader\ndef load():\n" + "\n".join(f"    {line}" for line in lines)


SLEEP = body("note()", "while True: time.sleep(0.1)")
STUBBORN = body("ignore()", "note()", "while True: pass")
FAMILY = body("spawn()", "ignore()", "note()", "time.sleep(100)")


async def gone(pids: list[int], alive: Any, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("code", "count"), [(SLEEP, 1), (STUBBORN, 1), (FAMILY, 4)], ids=["sleep", "stubborn", "family"]
)
async def test_cancel_leaves_no_process(
    bench: Any, pids: Any, alive: Any, code: str, count: int
) -> None:
    task = bench.start(code)
    tree = await pids(count)
    assert all(alive(pid) for pid in tree)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(alive(pid) for pid in tree)


async def test_cancel_lets_a_block_clean_up_within_the_grace(bench: Any, pids: Any) -> None:
    code = body(
        "def stop(*_):",
        "    open('cleaned', 'w').close(); print('cleaned up', flush=True); os._exit(0)",
        "signal.signal(signal.SIGTERM, stop)",
        "note()",
        "time.sleep(100)",
    )
    task = bench.start(code)
    await pids(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.project / "cleaned").exists()


async def test_second_cancel_ends_the_grace(tmp_path: Path, bench: Any, pids: Any) -> None:
    patient = ForkServer(grace_s=300)
    bench.server = patient
    task = bench.start(STUBBORN)
    await pids(1)
    task.cancel()
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await patient.close()


@pytest.mark.parametrize(
    ("code", "count"), [(STUBBORN, 1), (FAMILY, 4)], ids=["stubborn", "family"]
)
async def test_timeout_kills_and_is_reported(
    bench: Any, pids: Any, alive: Any, code: str, count: int
) -> None:
    result = await bench.run(code, timeout_s=0.5)
    assert (result.ok, result.reason) == (False, "timeout")
    assert result.error == "Block load timed out after 0.5 seconds"
    assert not any(alive(pid) for pid in await pids(count))


async def test_grandchildren_do_not_outlive_a_finished_block(
    bench: Any, pids: Any, alive: Any
) -> None:
    assert await bench.value(body("spawn()", "return 'done'")) == "done"
    assert not any(alive(pid) for pid in await pids(3))


@pytest.mark.parametrize(
    ("line", "reason", "error"),
    [
        ("os._exit(3)", "exited", "exited with status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "killed", "killed by SIGSEGV"),
        ("os.closerange(3, 100)", "exited", "exited with status 1"),
    ],
)
async def test_process_that_ends_itself_is_told_apart(
    bench: Any, line: str, reason: str, error: str
) -> None:
    result = await bench.run(body("print('last words')", line))
    assert (result.ok, result.reason) == (False, reason)
    assert error in result.error
    assert bench.lines[0] == "last words"


@pytest.mark.parametrize(
    "line", ["x = bytearray(2 * 1024**3)", "x = []\n    while True: x.append(bytearray(1024**2))"]
)
async def test_memory_bomb_fails_with_its_reason(bench: Any, line: str) -> None:
    result = await bench.run(body(line), memory_bytes=256 * 1024**2)
    assert (result.ok, result.reason, result.error_type) == (False, "memory", "MemoryError")
    assert "line" in result.traceback


async def test_log_is_cut_at_its_limit_with_a_marker(bench: Any) -> None:
    code = body("for n in range(100_000): print('x' * 100)", "os.system('yes | head -c 1000000')")
    result = await bench.run(code, log_bytes=100_000)
    assert result.ok, result
    assert sum(map(len, bench.lines)) < 110_000
    markers = [line for line in bench.lines if "has reached 0.09" in line]
    assert markers == [bench.lines[-1]]


async def test_chatty_block_waits_for_a_slow_log(bench: Any) -> None:
    code = body(
        "for n in range(1_500):",
        "    print(n, 'x' * 10_000)",
        "    open('count', 'w').write(str(n))",
    )
    released = asyncio.Event()
    seen: list[LogRecord] = []

    async def slow(records: list[LogRecord]) -> None:
        await released.wait()
        seen.extend(records)

    task = asyncio.create_task(bench.server.run(bench.call(code, log_bytes=2**30), slow))
    reached = -1
    while True:
        await asyncio.sleep(0.3)
        path = bench.project / "count"
        count = int(path.read_text() or 0) if path.exists() else -2
        if count == reached:
            break
        reached = count
    assert reached < 1_000
    released.set()
    assert (await task).ok
    assert [int(record.message.split()[0]) for record in seen] == list(range(1_500))


async def test_failure_of_the_log_ends_the_block(bench: Any, pids: Any, alive: Any) -> None:
    class LeaseLost(Exception):
        pass

    async def refuse(records: list[LogRecord]) -> None:
        raise LeaseLost

    code = body("note()", "while True: print('x' * 1000)")
    with pytest.raises(LeaseLost):
        await bench.server.run(bench.call(code), refuse)
    assert not any(alive(pid) for pid in await pids(1))


async def test_parallel_blocks_run_at_the_same_time(bench: Any) -> None:
    # Each waits for the files of all others, so none could end if they ran one by one.
    code = body(
        "name = os.environ['NAME']",
        "open(f'{name}.here', 'w').close()",
        "while sum(n.endswith('.here') for n in os.listdir()) < 6: time.sleep(0.01)",
        "return name",
    )
    calls = [bench.run(code, step_id=n, env={"NAME": f"n{n}"}, timeout_s=20) for n in range(6)]
    results = await asyncio.gather(*calls)
    assert [bench.read(result) for result in results] == [f"n{n}" for n in range(6)]


async def test_loop_is_never_blocked_while_blocks_run(bench: Any) -> None:
    task = bench.start(body("time.sleep(0.5)"))
    turns = 0
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5


async def test_kill_all_ends_every_block_without_grace(bench: Any, pids: Any, alive: Any) -> None:
    patient = ForkServer(grace_s=300)
    bench.server = patient
    tasks = [bench.start(FAMILY, step_id=n) for n in range(2)]
    tree = await pids(8)
    patient.kill_all()
    results = await asyncio.gather(*tasks)
    assert [(result.ok, result.reason) for result in results] == [(False, "killed")] * 2
    assert not any(alive(pid) for pid in tree)
    await patient.close()


async def test_a_guardian_serves_one_block_after_another_and_keeps_nothing_of_them(
    bench: Any, pids: Any, alive: Any
) -> None:
    own = ForkServer(grace_s=0.5)
    bench.server = own
    guardian = await bench.value(body("spawn()", "note()", "return os.getppid()"))
    left_behind = await pids(4)
    assert await bench.value(body("return os.getppid()")) == guardian
    assert not any(alive(pid) for pid in left_behind)
    await bench.run(body("os.kill(os.getppid(), signal.SIGKILL)", "time.sleep(100)"))
    assert await bench.value(body("return os.getppid()")) != guardian
    await own.close()
    assert await gone([guardian], alive)


async def test_block_that_kills_its_guardian_is_lost_alone(
    bench: Any, pids: Any, alive: Any
) -> None:
    other = bench.start(body("time.sleep(1)", "return 'unharmed'"), step_id=2)
    code = body("spawn()", "note()", "os.kill(os.getppid(), signal.SIGKILL)", "time.sleep(100)")
    result = await bench.run(code)
    assert (result.ok, result.reason) == (False, "worker_lost")
    assert await gone(await pids(4), alive)
    assert bench.read(await other) == "unharmed"


async def test_death_of_the_fork_server_fails_its_blocks_and_the_next_run_starts_anew(
    bench: Any, pids: Any, alive: Any
) -> None:
    own = ForkServer(grace_s=300)
    bench.server = own
    task = bench.start(FAMILY)
    tree = await pids(4)
    assert own._process is not None
    os.kill(own._process.pid, signal.SIGKILL)
    result = await task
    assert (result.ok, result.reason) == (False, "worker_lost")
    assert not any(alive(pid) for pid in tree)
    assert await bench.value(body("return 'again'")) == "again"
    await own.close()


WORKER = """
import asyncio, sys
from pathlib import Path
from workers.pipelines.calls import BlockCall
from workers.pipelines.fork_server import ForkServer
from app.core.protection import protect_process

async def main():
    protect_process()
    root, code = Path(sys.argv[1]), sys.argv[2]
    server = ForkServer(grace_s=300)
    async def show(records):
        for record in records:
            print(record.message, flush=True)
    async def run(step):
        call = BlockCall(
            run_id="run", step_id=step, block_uuid="load", block_type="data_loader",
            language="python", content=code, storage=root / "storage",
            output_dir=root / f"storage/runs/run/{step}/1", work_dir=root / "project",
        )
        print(await server.run(call, show), flush=True)
    await asyncio.gather(*(run(step) for step in range(int(sys.argv[3]))))
    await server.close()

asyncio.run(main())
"""


def worker(root: Path, code: str, blocks: int, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), code, str(blocks)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_kill_of_the_worker_leaves_no_process_of_its_blocks(
    tmp_path: Path, bench: Any, pids: Any, alive: Any
) -> None:
    with worker(tmp_path, FAMILY, 2) as process:
        tree = await pids(8)
        assert all(alive(pid) for pid in tree)
        process.kill()
    assert await gone(tree, alive, within_s=2)


async def test_block_finds_no_secret_of_the_worker(tmp_path: Path, bench: Any) -> None:
    code = """
        import os
        @data_loader
        def load():
            print('environ', dict(os.environ))
            print('fds', sorted(os.listdir('/proc/self/fd')))
            pid = os.getpid()
            while pid > 1:
                for name in ('environ', 'cmdline', 'maps'):
                    try:
                        print(pid, name, open(f'/proc/{pid}/{name}', 'rb').read())
                    except OSError as error:
                        print(pid, name, 'refused', error.errno)
                    if name == 'environ' and pid == os.getpid():
                        continue
                stat = open(f'/proc/{pid}/stat').read()
                pid = int(stat.rpartition(')')[2].split()[1])
    """
    with worker(tmp_path, textwrap.dedent(code), 1, PLANTED="canary-7f3a") as process:
        output, _ = await asyncio.to_thread(process.communicate, timeout=30)
        parent = process.pid
    assert "ok=True" in output
    assert f"{parent} environ refused 13" in output or f"{parent} environ refused 1" in output
    assert "canary-7f3a" not in output
    # Its own three streams and the line to the worker; the fourth is the listing itself.
    assert "fds ['0', '1', '2', '3', '4']" in output


async def test_environment_is_only_what_was_given(bench: Any) -> None:
    code = body("return dict(os.environ)")
    given = await bench.value(code, env={"TOKEN": "mine", "LANG": "C"})
    assert given == {
        "PATH": os.defpath,
        "HOME": str(bench.project),
        "LANG": "C",
        "TOKEN": "mine",
    }


async def test_projects_own_app_and_workers_modules_are_the_ones_imported(bench: Any) -> None:
    (bench.project / "app.py").write_text("NAME = 'my app'\n")
    (bench.project / "workers").mkdir()
    (bench.project / "workers" / "__init__.py").write_text("")
    (bench.project / "workers" / "pipelines.py").write_text("NAME = 'my workers'\n")
    code = """
        import app
        from workers import pipelines
        import pandas as pd
        @transformer
        def change(data): return [app.NAME, pipelines.NAME, pd.DataFrame({'a': [data]})]
        @test
        def named(app_name, *rest): assert app_name == 'my app'
    """
    value = await bench.value(code, block_type="transformer", upstream=({"when": (1, 2)},))
    assert value[:2] == ["my app", "my workers"]
    assert value[2]["a"][0] == {"when": (1, 2)}


async def test_block_has_no_capabilities_even_if_its_worker_is_root(bench: Any) -> None:
    code = body(
        "own = open('/proc/self/status').read()",
        "sub = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout",
        "return [line for line in (own + sub).splitlines() if line.startswith('CapEff')]",
    )
    assert await bench.value(code) == ["CapEff:\t0000000000000000"] * 2


async def test_cancel_at_any_moment_leaves_nothing_and_raises_nothing_else(bench: Any) -> None:
    own = ForkServer(grace_s=0.2)
    bench.server = own
    await own.start()
    for ticks in range(40):
        task = bench.start(body("time.sleep(100)"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert own._running == set()
    await own.close()


async def test_project_folder_that_cannot_be_made_fails_the_block_clearly(bench: Any) -> None:
    (bench.project / "file").write_text("")
    result = await bench.run(body("return 1"), work_dir=bench.project / "file" / "sub")
    assert (result.ok, result.error_type) == (False, "NotADirectoryError")
