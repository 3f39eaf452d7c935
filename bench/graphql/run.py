"""Measures GraphQL reads: `python bench/graphql/run.py`. How and when: bench/graphql/README.md."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent)]
sys.path.append(str(HERE.parent))

import contenders as c  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402
import sizes  # noqa: E402
from operations import OPERATIONS, Operation  # noqa: E402
from place import RUNS, Place, clear, place  # noqa: E402

CONNECTIONS = (1, 16)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", default=",".join(OPERATIONS))
    parser.add_argument("--contenders", default=",".join(c.CONTENDERS))
    parser.add_argument("--rounds", type=int, default=6, help="visits to every contender")
    parser.add_argument("--share", type=float, default=1.0, help="of all numbers of requests")
    parser.add_argument("--runs", type=int, default=RUNS, help="rows of the ledger")
    parser.add_argument("--no-waits", action="store_true", help="leave p50 and p99 out")
    parser.add_argument("--sizes", action="store_true", help="only: a page at 10 k to 1 M runs")
    parser.add_argument("--port", type=int, default=16790, help="the first port")
    parser.add_argument("--write", action="store_true", help="write bench/graphql/results.md")
    return parser.parse_args()


def main() -> None:
    """Fill the database, start everybody, compare answers, measure, tell."""
    chosen = options()
    machine = report.machine()
    if chosen.sizes:
        page = sizes.page(machine, sizes.measured(chosen.rounds, chosen.share, chosen.port))
    else:
        page = results.page(machine, contest(chosen), chosen.rounds, chosen.runs)
    print(page)
    if chosen.write:
        (HERE / ("sizes.md" if chosen.sizes else "results.md")).write_text(page)


def contest(chosen: argparse.Namespace) -> results.Found:
    """Figures of every chosen contender and operation."""
    found: results.Found = {}
    wanted = [c.CONTENDERS[name] for name in chosen.contenders.split(",")]
    absent = [one.name for one in wanted if not c.installed(one)]
    if absent:
        say(f"left out, since `npm ci` was not run in bench/peers/…: {', '.join(absent)}")
    say(f"fills PostgreSQL with {chosen.runs} runs")
    with place(chosen.runs) as where, ExitStack() as stack:
        servers = [
            stack.enter_context(c.running(one, where, chosen.port + number))
            for number, one in enumerate(wanted)
            if c.installed(one)
        ]
        measure.spread(where, servers)
        for name in chosen.operations.split(","):
            found[name] = operation(where, servers, OPERATIONS[name], chosen)
    return found


def operation(
    where: Place, servers: list[c.Running], asked: Operation, chosen: argparse.Namespace
) -> dict[str, measure.Figures]:
    """Every contender's figures for one operation: equal answers first, then rounds in turn."""
    servers = [server for server in servers if server.contender.answers(asked)]
    figures = {server.contender.name: measure.Figures() for server in servers}
    agree(where, servers, asked, figures)
    for server in servers:
        say(f"{asked.name}: warms {server.contender.name}")
        measure.warm(where, server, asked, chosen.share)
    measure.spread(where, servers)
    for number in range(chosen.rounds):
        say(f"{asked.name}: round {number + 1}")
        # Each round begins with another one, so that nobody always follows the same neighbour.
        turn = number % len(servers)
        for server in [*servers[turn:], *servers[:turn]]:
            visit = measure.visit(where, server, asked, chosen.share)
            figures[server.contender.name].visits.append(visit)
    if not chosen.no_waits:
        for server in servers:
            for connections in CONNECTIONS:
                waits = measure.waits(where, server, asked, connections, chosen.share)
                figures[server.contender.name].waits[connections] = waits
    if asked.writes:
        clear(where)
    return figures


def agree(
    where: Place, servers: list[c.Running], asked: Operation, figures: dict[str, measure.Figures]
) -> None:
    """Stop unless all give the same answer."""
    first = None
    for server in servers:
        answer, size = measure.answer(where, server, asked)
        figures[server.contender.name].size = size
        first = answer if first is None else first
        if answer != first:
            names = f"{servers[0].contender.name} and {server.contender.name}"
            sys.exit(f"{asked.name}: {names} differ:\n{str(first)[:1500]}\n{str(answer)[:1500]}")


def say(text: str) -> None:
    """Tell whoever waits; results go to standard output."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
