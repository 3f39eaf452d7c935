"""What was measured, as a page of tables."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from latency import Spent, median
from reads import READS, Load

IDLE_LOAD = 0.5


@dataclass
class Figures:
    """All that was measured of one side."""

    name: str
    versions: str
    idle_cpu: float = 0.0
    reads: dict[str, dict[int, Load]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    throughputs: list[float] = field(default_factory=list)
    data: Spent | None = None


@dataclass(frozen=True)
class Machine:
    """Where and when, and how busy it was before the first server started."""

    text: str
    load: float


def machine() -> Machine:
    """This machine, now."""
    load = os.getloadavg()[0]
    memory = psutil.virtual_memory().total / 2**30
    text = (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {_processor()}, {psutil.cpu_count()} cores, "
        f"{memory:.0f} GiB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}; load average at the start {load:.2f}"
    )
    return Machine(text, load)


def page(where: Machine, found: Sequence[Figures]) -> str:
    """The page; a side that was not measured leaves its cells empty."""
    sides = {figures.name: figures for figures in found}
    peer, ours = sides.get("Mage"), sides.get("Isthmus")
    lines = ["# Beside the real Mage", "", where.text + ".", ""]
    if where.load > IDLE_LOAD:
        lines += ["**The machine was not idle: these figures are worth nothing.**", ""]
    lines += [f"- {figures.versions}" for figures in found]
    lines += ["", *_table(peer, ours), "", *_waits(found), ""]
    return "\n".join(lines)


def _table(peer: Figures | None, ours: Figures | None) -> list[str]:
    rows = ["| measured | Mage | Isthmus | ratio | target |", "|---|---|---|---|---|"]
    for read in READS:
        for connections in (1, 8):
            rows.append(_read_row(read.path, connections, peer, ours))
    rows.append(_latency_row(peer, ours))
    rows.append(_throughput_row(peer, ours))
    if ours and ours.data:
        rows.append(_data_row(ours.data))
    return [*filter(None, rows), *_idle_row(peer, ours)]


def _read_row(path: str, connections: int, peer: Figures | None, ours: Figures | None) -> str:
    theirs, mine = (
        side.reads[path][connections].cpu_ms if side and path in side.reads else 0.0
        for side in (peer, ours)
    )
    what = f"CPU of `GET {path}`, {connections} connection{'s' if connections > 1 else ''}"
    return _row(what, theirs, mine, "ms", _ratio(mine, theirs), "at most 1", mine <= theirs)


def _latency_row(peer: Figures | None, ours: Figures | None) -> str:
    theirs, mine = (median(side.latencies) if side else 0.0 for side in (peer, ours))
    counts = " and ".join(str(len(side.latencies)) for side in (peer, ours) if side)
    what = f"trigger to completed, 3 trivial blocks, median of {counts}"
    return _row(what, theirs, mine, "s", _ratio(mine, theirs), "at most 1/30", 30 * mine <= theirs)


def _throughput_row(peer: Figures | None, ours: Figures | None) -> str:
    theirs, mine = (median(side.throughputs) if side else 0.0 for side in (peer, ours))
    what = "completed runs a minute, 50 triggered at once"
    return _row(what, theirs, mine, "", _ratio(mine, theirs), "at least 10", mine >= 10 * theirs)


def _data_row(data: Spent) -> str:
    overhead = data.wall_s - data.own_s
    what = f"100,000 rows x 12 columns through 3 blocks: {data.wall_s:.2f} s less own work"
    return f"| {what} {data.own_s:.2f} s | | {overhead:.3f} s | | at most 0.5 s{_mark(overhead <= 0.5)} |"


def _idle_row(peer: Figures | None, ours: Figures | None) -> list[str]:
    theirs, mine = (100 * side.idle_cpu if side else 0.0 for side in (peer, ours))
    if not theirs and not mine:
        return []
    return [
        f"| CPU while idle, of one core | {theirs:.1f} % | {mine:.1f} % | | (part of all above) |"
    ]


def _row(
    what: str, theirs: float, mine: float, unit: str, ratio: str, target: str, met: bool
) -> str:
    if not theirs and not mine:
        return ""
    cells = [f"{_number(value)} {unit}".strip() if value else "" for value in (theirs, mine)]
    mark = _mark(met) if theirs and mine else ""
    return f"| {what} | {cells[0]} | {cells[1]} | {ratio} | {target}{mark} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _mark(met: bool) -> str:
    return ": met" if met else ": **missed**"


def _ratio(mine: float, theirs: float) -> str:
    if not mine or not theirs:
        return ""
    return f"{mine / theirs:.2f}" if mine > theirs / 10 else f"1/{theirs / mine:.0f}"


def _waits(found: Sequence[Figures]) -> list[str]:
    rows = [
        "| waits for an answer | connections | side | p50 | p99 | bytes |",
        "|---|---|---|---|---|---|",
    ]
    for read in READS:
        for connections in (1, 8):
            rows += [
                f"| `GET {read.path}` | {connections} | {figures.name} | {load.p50_ms:.1f} ms "
                f"| {load.p99_ms:.1f} ms | {load.size} |"
                for figures in found
                if (load := figures.reads.get(read.path, {}).get(connections))
            ]
    return rows if len(rows) > 2 else []


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if not names.exists():
        return platform.processor() or platform.machine()
    lines = names.read_text().splitlines()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
