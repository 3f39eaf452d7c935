"""What was measured, as a page of tables."""

import json
import subprocess
from importlib.metadata import version

import sides
from contenders import CONTENDERS, PEERS, node
from measure import Figures
from operations import OPERATIONS
from place import POOL
from report import IDLE_LOAD, Machine

from app.embedded.binaries import find_postgres

Found = dict[str, dict[str, Figures]]
"""Operation -> contender -> figures."""

PACKAGES = ("starlette", "uvicorn", "uvloop", "httptools", "asyncpg", "graphql-core")
TARGETS: dict[str, dict[str, float]] = {
    # Our CPU over the limit's at most; each peer's over ours at least.
    "limit": {"S": 0.95, "N": 1.0, "L": 1.05},
    "mercurius": {"S": 1.0, "N": 8.0, "L": 9.0},
    "postgraphile": {"S": 3.0, "N": 10.0, "L": 17.0},
    "apollo": {"S": 1.8, "N": 24.0, "L": 28.0},
    "total": {"S": 0.95, "N": 1.0, "L": 1.0},
    "rest": {"R": 1.5},
}


def page(where: Machine, found: Found, rounds: int, runs: int) -> str:
    """The page."""
    lines = ["# GraphQL reads beside the limit and the peers", "", where.text + ".", ""]
    if where.load > IDLE_LOAD:
        lines += ["**The machine was not idle: these figures are worth nothing.**", ""]
    lines += [f"- {line}" for line in versions(runs)]
    lines += ["", f"Medians of {rounds} rounds, the best in brackets.", ""]
    for build in (_cpu, _ratios, _waits):
        lines += [*build(found), ""]
    return "\n".join(lines)


def versions(runs: int) -> list[str]:
    """What ran, line by line."""
    python = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    postgres = _said([str(find_postgres().folder / "postgres"), "--version"])
    return [
        f"Isthmus {sides._commit()}; {python}",
        f"Node {_said([node(), '--version'])}; {', '.join(_of_peers())}",
        f"PostgreSQL {postgres}, embedded; {runs:,} runs; pools of {POOL} connections",
    ]


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return done.stdout.strip().removeprefix("postgres (PostgreSQL) ")


def _of_peers() -> list[str]:
    found = {}
    for peer in ("mercurius", "postgraphile", "apollo"):
        text = (PEERS / peer / "package.json").read_text()
        found |= json.loads(text)["dependencies"]
    return [f"{name} {pinned}" for name, pinned in sorted(found.items()) if name != "node"]


def _cpu(found: Found) -> list[str]:
    lines = [
        "## CPU of one request, microseconds",
        "",
        "| operation | contender | server | over limit | PostgreSQL | both | both over limit | bytes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        limit = figures.get("limit")
        for contender, one in figures.items():
            cells = [
                name,
                CONTENDERS[contender].title,
                f"{one.server:,.0f} ({one.least:,.0f})",
                f"{one.server / limit.server:.2f}" if limit else "",
                f"{one.postgres:,.0f}",
                f"{one.total:,.0f}",
                f"{one.total / limit.total:.2f}" if limit else "",
                f"{one.size:,}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    titles = [f"{name}: {OPERATIONS[name].title}" for name in found]
    return [*lines, "", "; ".join(titles) + "."]


def _ratios(found: Found) -> list[str]:
    lines = ["## Against the targets", "", "| measured | operation | ratio | target |"]
    lines += ["|---|---|---|---|"]
    for name, figures in found.items():
        ours, limit = figures.get("compiled"), figures.get("limit")
        if ours is None:
            continue
        if limit:
            kind = "rest" if name == "R" else "limit"
            lines.append(_row("our server / limit", name, ours.server / limit.server, kind, True))
            ratio = ours.total / limit.total
            lines.append(_row("our server + PostgreSQL / limit", name, ratio, "total", True))
        for peer in ("mercurius", "postgraphile", "apollo", "executed"):
            if peer in figures:
                ratio = figures[peer].server / ours.server
                lines.append(_row(f"{peer} / our server", name, ratio, peer, False))
                ratio = figures[peer].total / ours.total
                what = f"{peer} / ours, both with PostgreSQL"
                lines.append(_row(what, name, ratio, "", False))
    return lines


def _row(what: str, name: str, ratio: float, kind: str, at_most: bool) -> str:
    target = TARGETS.get(kind, {}).get(name)
    said = ""
    if target is not None:
        met = ratio <= target if at_most else ratio >= target
        said = f"at {'most' if at_most else 'least'} {target:g}: {'met' if met else '**missed**'}"
    return f"| {what} | {name} | {ratio:.2f} | {said} |"


def _waits(found: Found) -> list[str]:
    lines = [
        "## Waits for an answer, milliseconds",
        "",
        "| operation | contender | p50, 1 connection | p99 | p50, 16 connections | p99 |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        for contender, one in figures.items():
            if one.waits:
                cells = [f"{w.p50:.2f} | {w.p99:.2f}" for _, w in sorted(one.waits.items())]
                lines.append(f"| {name} | {contender} | {' | '.join(cells)} |")
    return lines if len(lines) > 4 else []
