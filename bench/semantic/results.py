"""What was measured, as a page of tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

import sides
from measure import CONNECTIONS, Kept, Uncached, Visit
from report import IDLE_LOAD, Machine

COMPILE_MS = 5
KEPT_RATIO = 0.5
RUN_RATIO = 1.3
RUN_MORE_MS = 10
PACKAGES = ("starlette", "uvicorn", "uvloop", "httptools", "asyncpg", "sqlglot")


@dataclass
class Found:
    """What was measured; None for what was left out."""

    compiling: dict[str, float] | None = None
    kept: Kept | None = None
    uncached: Uncached | None = None


def page(where: Machine, found: Found, rounds: int, rows: int) -> str:
    """The page."""
    lines = ["# The semantic layer", "", where.text + ".", ""]
    if where.load > IDLE_LOAD:
        lines += ["**The machine was not idle: these figures are worth nothing.**", ""]
    python = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines += [f"- Isthmus {sides._commit()}; {python}", f"- {rows:,} rows in the warehouse"]
    lines += ["", f"Medians of {rounds} rounds.", ""]
    if found.kept:
        lines += [*_kept(found.kept), ""]
    if found.uncached:
        lines += [*_uncached(found.uncached), ""]
    return "\n".join([*lines, *_targets(found), ""])


def _kept(kept: Kept) -> list[str]:
    lines = [
        f"## A kept answer of {kept.size:,} bytes",
        "",
        "| connections | server | requests a second | server's CPU of one | PostgreSQL's | p50 |",
        "|---|---|---|---|---|---|",
    ]
    for connections in CONNECTIONS:
        for name, visits in (("Isthmus", kept.ours), ("bare", kept.bare)):
            rate, server, postgres, p50 = (
                _median(visits[connections], one) for one in ("rate", "server", "postgres", "p50")
            )
            cells = f"{rate:,.0f} | {server:.0f} µs | {postgres:.0f} µs | {p50:.2f} ms"
            lines.append(f"| {connections} | {name} | {cells} |")
    return lines


def _uncached(found: Uncached) -> list[str]:
    lines = [
        "## Queries that are run",
        "",
        "| asked | CPU of all processes | until the answer, p50 |",
        "|---|---|---|",
    ]
    for name, runs in (("over /v2/load", found.ours), ("SQL by hand, asyncpg", found.by_hand)):
        spent, wall = (median(getattr(one, name) for one in runs) for name in ("cpu", "wall"))
        lines.append(f"| {name} | {spent:.1f} ms | {wall:.1f} ms |")
    return lines


def _targets(found: Found) -> list[str]:
    lines = ["## Against the targets", "", "| measured | value | target |", "|---|---|---|"]
    for name, spent in (found.compiling or {}).items():
        told = f"{spent:.2f} ms"
        lines.append(_row(f"CPU of compiling: {name}", told, "at most 5 ms", spent <= COMPILE_MS))
    if found.kept:
        for connections in CONNECTIONS:
            ours, bare = (
                _median(side[connections], "rate") for side in (found.kept.ours, found.kept.bare)
            )
            what = f"kept: request rate / bare, {connections} connection{'s' * (connections > 1)}"
            met = ours / bare >= KEPT_RATIO
            lines.append(_row(what, f"{ours / bare:.2f}", "at least 0.5", met))
    if found.uncached:
        ours, hand = (
            median(one.cpu for one in runs)
            for runs in (found.uncached.ours, found.uncached.by_hand)
        )
        lines.append(
            _row(
                "run: CPU / by hand", f"{ours / hand:.2f}", "at most 1.3", ours / hand <= RUN_RATIO
            )
        )
        more = ours - hand
        lines.append(_row("run: CPU more", f"{more:.1f} ms", "at most 10 ms", more <= RUN_MORE_MS))
    return lines


def _row(what: str, value: str, target: str, met: bool) -> str:
    return f"| {what} | {value} | {target}: {'met' if met else '**missed**'} |"


def _median(visits: Sequence[Visit], name: str) -> float:
    return median(float(getattr(one, name)) for one in visits)
