"""Measures the semantic layer: `python bench/semantic/run.py`. How and when: bench/semantic/README.md."""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent)]
sys.path += [str(HERE.parent), str(HERE.parent / "graphql")]

import measure  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402
from place import place  # noqa: E402

PARTS = ("compile", "kept", "uncached")


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--rows", type=int, default=500_000, help="of the table that is asked")
    parser.add_argument("--rounds", type=int, default=5, help="visits to every side")
    parser.add_argument("--requests", type=int, default=2000, help="of a visit, kept answers")
    parser.add_argument("--queries", type=int, default=10, help="of a visit, queries that are run")
    parser.add_argument("--port", type=int, default=16790, help="the first of two")
    parser.add_argument("--write", action="store_true", help="write bench/semantic/results.md")
    return parser.parse_args()


def main() -> None:
    """Start, fill, measure, tell."""
    chosen = options()
    machine = report.machine()
    page = results.page(machine, measured(chosen), chosen.rounds, chosen.rows)
    print(page)
    if chosen.write:
        (HERE / "results.md").write_text(page)


def measured(chosen: argparse.Namespace) -> results.Found:
    """What was asked for."""
    parts, found = chosen.parts.split(","), results.Found()
    if "compile" in parts:
        say("compiles")
        found.compiling = measure.compiling()
    if "kept" not in parts and "uncached" not in parts:
        return found
    say(f"starts, and fills the warehouse with {chosen.rows:,} rows")
    with place(chosen.rows, chosen.port) as where:
        if "uncached" in parts:
            say("asks what must be run")
            found.uncached = measure.uncached(where, chosen.queries, chosen.rounds)
        if "kept" in parts:
            say("asks for a kept answer")
            found.kept = measure.kept(where, chosen.port + 1, chosen.requests, chosen.rounds)
    return found


def say(text: str) -> None:
    """Tell how far it is, beside the page."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
