"""What was measured, as a page of tables."""

import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import median

import sides
from movers import DLT, MOVERS, Figures
from report import IDLE_LOAD, Machine

from app.embedded.binaries import find_postgres

Found = Mapping[int, Mapping[str, Sequence[Figures]]]
"""Rows -> mover -> figures of each round."""

_OF_DLT = "import importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in ('dlt', 'pyarrow', 'connectorx')))"


def page(where: Machine, found: Found, rounds: int) -> str:
    """The page."""
    lines = ["# Syncs from PostgreSQL beside the limits and dlt", "", where.text + ".", ""]
    if where.load > IDLE_LOAD:
        lines += ["**The machine was not idle: these figures are worth nothing.**", ""]
    lines += [f"- {line}" for line in versions()]
    lines += [
        "",
        f"Medians of {rounds} rounds. CPU and memory are the mover's, not PostgreSQL's.",
        "",
    ]
    for rows, movers in found.items():
        lines += [*_table(rows, movers), ""]
    return "\n".join([*lines, *_targets(found), ""])


def versions() -> list[str]:
    """What ran, line by line."""
    postgres = _said([str(find_postgres().folder / "postgres"), "--version"])
    lines = [
        f"Isthmus {sides._commit()}; DuckDB {version('duckdb')}, pyarrow {version('pyarrow')}, "
        f"pyiceberg {version('pyiceberg')}",
        f"{postgres.replace('postgres (PostgreSQL)', 'PostgreSQL')}, embedded; {_said(['psql', '--version'])}",
    ]
    dlt = _said([str(DLT / "bin/python"), "-c", _OF_DLT])
    return [*lines, dlt] if dlt else lines


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _table(rows: int, movers: Mapping[str, Sequence[Figures]]) -> list[str]:
    lines = [
        f"## {rows:,} rows",
        "",
        "| mover | wall s | over limit | CPU s | over limit | rows per CPU second | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in movers.items():
        limit = movers.get(MOVERS[name].limit)
        wall, cpu = _median(figures, "wall_s"), _median(figures, "cpu_s")
        cells = [
            MOVERS[name].title,
            f"{wall:.2f}",
            f"{wall / _median(limit, 'wall_s'):.2f}" if limit else "",
            f"{cpu:.2f}",
            f"{cpu / _median(limit, 'cpu_s'):.2f}" if limit else "",
            f"{rows / cpu:,.0f}",
            f"{_median(figures, 'peak_mb'):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _targets(found: Found) -> list[str]:
    lines = [
        "## Against the targets",
        "",
        "| measured | rows | ratio | target |",
        "|---|---|---|---|",
    ]
    for rows, movers in found.items():
        for ours, theirs, at_most in (("parquet", "pyarrow", 0.5), ("parquet", "connectorx", 1.2)):
            if ours in movers and theirs in movers:
                ratio = _median(movers[ours], "cpu_s") / _median(movers[theirs], "cpu_s")
                what = f"CPU, {MOVERS[ours].title} / {MOVERS[theirs].title}"
                lines.append(_row(what, f"{rows:,}", ratio, at_most))
    if len(found) > 1:
        least, most = min(found), max(found)
        for name in ("parquet", "iceberg", "append"):
            if name in found[least] and name in found[most]:
                ratio = _median(found[most][name], "peak_mb") / _median(
                    found[least][name], "peak_mb"
                )
                what = f"peak memory, {MOVERS[name].title}"
                lines.append(_row(what, f"{most:,} / {least:,}", ratio, 1.15))
    return lines


def _row(what: str, rows: str, ratio: float, at_most: float) -> str:
    said = f"at most {at_most:g}: {'met' if ratio <= at_most else '**missed**'}"
    return f"| {what} | {rows} | {ratio:.2f} | {said} |"


def _median(figures: Sequence[Figures], name: str) -> float:
    return median(float(getattr(one, name)) for one in figures)
