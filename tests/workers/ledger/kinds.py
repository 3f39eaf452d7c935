"""Kinds of runs for the tests of the ledger. Children die with their worker, as blocks do."""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import text

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.embedded.process import die_with_parent
from app.runs.fenced import LeaseLost, LogLine
from workers.execute import KINDS, Execution, Outcome, RunContext

BUSY = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass\n"


async def begin(context: RunContext, step: str | None = None, note: str | None = None) -> int:
    """Write an effect's row, whoever holds the run."""
    statement = text(
        "INSERT INTO effects (run_id, fence, step, worker, note)"
        " VALUES (:run, :fence, :step, :worker, :note) RETURNING id"
    )
    parameters = {
        "run": context.run_id,
        "fence": context.fence,
        "step": step,
        "worker": os.getpid(),
        "note": note,
    }
    row = await context.write(lambda tx: tx.one(statement, parameters))
    assert row is not None
    effect: int = row["id"]
    return effect


async def end(context: RunContext, effect: int) -> None:
    """Write when the effect ended."""
    statement = text("UPDATE effects SET ended = clock_timestamp() WHERE id = :id")
    await context.write(lambda tx: tx.execute(statement, {"id": effect}))


def _note_end(effect: int) -> None:
    """In a file, as the database may be away."""
    Path(os.environ["TEST_ENDS"], str(effect)).write_text(str(time.time()))


async def child(context: RunContext, effect: int, *command: str) -> None:
    """Run a program to its end, or to the end of the run's patience, and note when it was gone."""
    process = await asyncio.create_subprocess_exec(
        *command, start_new_session=True, preexec_fn=die_with_parent(signal.SIGKILL)
    )
    try:
        await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        # Not asyncio.timeout: in a task that was cancelled it does not work on early 3.11.
        gone = asyncio.ensure_future(process.wait())
        done, _ = await asyncio.wait({gone}, timeout=context.kill_grace_s)
        if not done:
            process.kill()
            await gone
        raise
    finally:
        _note_end(effect)


async def noop(_: RunContext) -> Outcome:
    """Succeed."""
    return Outcome("succeeded", result={"ok": True})


async def sleep(context: RunContext) -> Outcome:
    """Sleep `s` seconds in a child, between the two halves of an effect."""
    effect = await begin(context)
    seconds = context.params.get("s", 0.2)
    await child(context, effect, "sleep", str(seconds))
    await end(context, effect)
    return Outcome("succeeded")


async def busy(context: RunContext) -> Outcome:
    """A child that burns a core and ignores SIGTERM; its command line names the run."""
    effect = await begin(context)
    await child(context, effect, sys.executable, "-S", "-c", BUSY, str(context.run_id))
    return Outcome("succeeded")


async def crash(context: RunContext) -> Outcome:
    """Kill the worker."""
    await begin(context)
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(3600)
    return Outcome("succeeded")


async def steps(context: RunContext) -> Outcome:
    """One effect for each step without a success; the step in `crash_at` kills the first worker."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.all(
            text("SELECT name, status FROM run_steps WHERE run_id = :id ORDER BY position"),
            {"id": context.run_id},
        )
    for row in rows:
        if row["status"] == "succeeded":
            continue
        name = row["name"]
        await context.start_step(name)
        effect = await begin(context, name)
        await context.log([LogLine(f"{name} in attempt {context.attempt}", step=name)])
        if context.params.get("crash_at") == name and context.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        await end(context, effect)
        await context.finish_step(name, "succeeded", outputs=[{"step": name}])
    return Outcome("succeeded")


async def flaky(context: RunContext) -> Outcome:
    """Fail, and ask for another try, until attempt `succeed_at`."""
    if context.attempt < context.params["succeed_at"]:
        return Outcome("failed", reason="flaky", error="Not yet.", retry=True)
    return Outcome("succeeded")


async def stubborn(context: RunContext) -> Outcome:
    """Ignore the cancellation after a lost lease and write all the same."""
    effect = await begin(context)
    try:
        await asyncio.sleep(context.params["s"] if context.attempt == 1 else 0)
    except asyncio.CancelledError:
        context.stopping = None  # as if it had not been told
        for write in (
            context.log([LogLine("late")]),
            context.finish_step("only", "succeeded"),
        ):
            try:
                await write
                await begin(context, note="late write accepted")
            except LeaseLost:
                await begin(context, note="late write refused")
    await end(context, effect)
    return Outcome("succeeded", result={"fence": context.fence})


async def hang(context: RunContext) -> Outcome:
    """Block the worker's event loop, as no kind should."""
    await begin(context)
    if context.attempt == 1:
        time.sleep(3600)  # noqa: ASYNC251
    return Outcome("succeeded")


async def mixed(context: RunContext) -> Outcome:
    """For the storm: two effects, a child, and log lines."""
    effect = await begin(context)
    await context.log([LogLine("begun")])
    await child(context, effect, "sleep", str(random.uniform(0.1, context.params.get("s", 1.0))))
    await end(context, effect)
    await context.log([LogLine("done")])
    return Outcome("succeeded")


async def chatty(context: RunContext) -> Outcome:
    """Write line after line, so that it is always in the middle of a statement."""
    await begin(context)
    for number in range(context.params["lines"]):
        await context.log([LogLine(str(number))])
    return Outcome("succeeded")


async def query(context: RunContext) -> Outcome:
    """Wait for the database for an hour."""
    await begin(context)
    async with transaction(SYSTEM) as tx:
        await tx.execute(text("SET LOCAL statement_timeout = 0"))
        await tx.execute(text("SELECT pg_sleep(3600), :run"), {"run": str(context.run_id)})
    return Outcome("succeeded")


async def refused(context: RunContext) -> Outcome:
    """Send a statement that the database refuses."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(text("SELECT 1 / :divisor"), {"divisor": 0})
    return Outcome("succeeded")


def install() -> None:
    """Add these kinds to the worker's; TEST_NO_WATCH takes its last safeguard away."""
    if "TEST_NO_WATCH" in os.environ:
        Execution.overdue = lambda self, now: False  # type: ignore[method-assign]
    KINDS.update(
        noop=noop,
        sleep=sleep,
        busy=busy,
        crash=crash,
        steps=steps,
        flaky=flaky,
        stubborn=stubborn,
        hang=hang,
        mixed=mixed,
        chatty=chatty,
        query=query,
        refused=refused,
    )
