"""Measures syncs from PostgreSQL: `python bench/sync/run.py`. How and when: bench/sync/README.md."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent)]
sys.path.append(str(HERE.parent))

import report  # noqa: E402
import results  # noqa: E402
from movers import DLT, MOVERS, Bench, Figures, Mover  # noqa: E402

from app.embedded import EmbeddedServers  # noqa: E402
from app.embedded.home import password  # noqa: E402


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--rounds", type=int, default=3, help="visits to every mover")
    parser.add_argument("--movers", default=",".join(MOVERS))
    parser.add_argument("--write", action="store_true", help="write bench/sync/results.md")
    return parser.parse_args()


def main() -> None:
    """Fill the table, let everybody move it, tell."""
    chosen = options()
    machine = report.machine()
    movers = [MOVERS[name] for name in chosen.movers.split(",")]
    has_dlt = (DLT / "bin/python").exists()
    if not has_dlt and any(mover.needs_dlt for mover in movers):
        say("left out, since bench/peers/dlt/setup.sh was not run: dlt")
    movers = [mover for mover in movers if has_dlt or not mover.needs_dlt]
    found: results.Found = {}
    with place() as bench:
        for rows in chosen.rows:
            say(f"fills trips with {rows:,} rows")
            bench.make(rows)
            found[rows] = rounds(bench, movers, chosen.rounds)
    page = results.page(machine, found, chosen.rounds)
    print(page)
    if chosen.write:
        (HERE / "results.md").write_text(page)


def rounds(bench: Bench, movers: list[Mover], number: int) -> dict[str, list[Figures]]:
    """All figures of every mover; each round begins with another one."""
    found: dict[str, list[Figures]] = {mover.name: [] for mover in movers}
    for round_ in range(number):
        turn = round_ % len(movers)
        for mover in [*movers[turn:], *movers[:turn]]:
            one = mover.move(bench)
            found[mover.name].append(one)
            say(
                f"{bench.rows:,} rows, {mover.name}: wall {one.wall_s:.1f} s, CPU {one.cpu_s:.1f} s"
            )
    return found


@contextmanager
def place() -> Iterator[Bench]:
    """An embedded PostgreSQL and a folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedServers(folder / "home", durable=False) as servers:
            access = {
                "host": str(servers.postgres.socket_folder),
                "database": "postgres",
                "username": "postgres",
                "password": password(folder / "home", "postgres", create=False),
            }
            yield Bench(folder, access)


def say(text: str) -> None:
    """Tell how far it is, beside the page."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
