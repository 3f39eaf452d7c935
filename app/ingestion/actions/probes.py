"""Verbs of probes: a test of a source or destination, and the look for a source's streams.

The API starts a short run and waits for a worker to do it, as it never loads a driver itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import RowMapping, exists, literal, select, text

from app.core import db, events
from app.core.ids import new_token
from app.core.rules import SYSTEM, Subject
from app.ingestion.actions._shared import checked_version, connector, in_project, lock_live
from app.ingestion.actions.ends import TYPE_NAMES
from app.ingestion.config import check_config
from app.ingestion.secrets import TABLES, End, opened, seal, with_secrets
from app.runs import actions as ledger
from app.runs.states import RUN_ENDS
from app.runs.tables import runs, workers
from app.runs.waits import is_alive

Kind = Literal["check", "discover"]
LIMIT_S = 300
PRIORITY = 10
"""Somebody waits for it."""
LOOK_S = 1.0
NO_WORKER = "No worker is there that could try it. Start one, then try again."


@dataclass(frozen=True)
class Probe:
    """A probe in hand: its run, or why there is none."""

    run_id: UUID | None
    refusal: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a probe stands: `result` is what the worker says, `error` why there is none.

    Both are None while it goes on.
    """

    result: dict[str, Any] | None = None
    error: str | None = None


async def start_probe(
    subject: Subject,
    kind: Kind,
    end: End,
    project_id: int,
    values: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
) -> Probe:
    """Start a probe of settings {type, connector_version, config}, or of the entity `id`.

    `more` goes to the worker with the settings.
    """
    async with db.transaction(subject) as tx:
        found, config = await _subject(tx, end, project_id, values)
        able = found["abilities"]
        run_id = None
        if able.get("runs"):
            about = {**(more or {}), "end": end, "type": found["type"]}
            run_id = await _queue(tx, kind, project_id, about, config)
        action = f"sync_{end}.{'test' if kind == 'check' else 'discover'}"
        about_id = values.get("id") or run_id or found["type"]
        await tx.audit(action, TYPE_NAMES[end], about_id, project_id=project_id)
    return Probe(run_id, None if run_id else able.get("why_not"))


async def _queue(
    tx: db.Tx, kind: Kind, project_id: int, about: Mapping[str, Any], config: dict[str, Any]
) -> UUID:
    nonce = new_token()
    sealed = seal(config, probe_place(nonce))
    accepted = await ledger.accept(
        tx,
        project_id=project_id,
        kind=kind,
        params={**about, "nonce": nonce, "sealed": sealed},
        max_attempts=1,
        timeout_s=LIMIT_S,
        created_by=tx.subject.user_id,
        priority=PRIORITY,
    )
    return accepted.run_id


async def _subject(
    tx: db.Tx, end: End, project_id: int, values: Mapping[str, Any]
) -> tuple[RowMapping, dict[str, Any]]:
    """The connector and the settings in clear."""
    if values.get("id") is not None:
        row = await lock_live(tx, TABLES[end], values["id"], "pipeline.write", end)
        found = await connector(tx, end, row["type"], row["connector_version"])
        return found, opened(row, end)
    await in_project(tx, project_id, "pipeline.write")
    version = checked_version(values.get("connector_version"))
    found = await connector(tx, end, values.get("type") or "", version)
    config = await with_secrets(tx, values.get("config"), project_id)
    check_config(config, found["spec"], found["type"])
    return found, config


def probe_place(nonce: str) -> str:
    """Where the sealed settings of a probe belong."""
    return f"probes/{nonce}/config"


async def wait(run_id: UUID, wait_s: float) -> Outcome:
    """How a probe has ended, or stands after `wait_s` seconds; without a worker it is given up."""
    deadline = asyncio.get_running_loop().time() + wait_s
    with events.Waiter(f"run:{run_id}") as waiter:
        while True:
            outcome, waits = await _look(run_id)
            if outcome is not None:
                await forget(run_id)
                return outcome
            if waits:
                async with db.transaction(SYSTEM) as tx:
                    await ledger.request_cancel(tx, run_id, reason="no_worker")
                await forget(run_id)
                return Outcome(error=NO_WORKER)
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                return Outcome()
            await waiter.wait(min(LOOK_S, left_s))


async def _look(run_id: UUID) -> tuple[Outcome | None, bool]:
    """The outcome of an ended run; whether one that is queued has no worker to wait for."""
    alive = exists(select(literal(1)).where(is_alive(workers.c)))
    wanted = select(runs.c.status, runs.c.result, runs.c.error, alive.label("alive"))
    async with db.reading() as connection:
        row = (await connection.execute(wanted.where(runs.c.id == run_id))).mappings().first()
    if row is None:
        return Outcome(error="The project was deleted."), False
    if row["status"] in RUN_ENDS:
        error = row["error"] or f"The look has {row['status']}."
        failed = row["status"] != "succeeded"
        return Outcome(row["result"], error if failed else None), False
    return None, row["status"] == "queued" and not row["alive"]


async def forget(run_id: UUID) -> None:
    """Delete the sealed settings of a probe: nobody needs them again."""
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(
            text("UPDATE runs SET params = params - 'sealed' - 'nonce' WHERE id = :id"),
            {"id": run_id},
        )
