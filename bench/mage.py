"""Measures Isthmus beside the real Mage: `python bench/mage.py`. How and when: bench/README.md."""

import argparse
import sys
import tempfile
from pathlib import Path

import latency
import reads
import report
import seed
import sides

PARTS = ("reads", "latency", "throughput", "data")


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--sides", default="mage,isthmus", help="of mage, isthmus")
    parser.add_argument("--mage", type=Path, default=sides.MAGE_ENVIRONMENT)
    parser.add_argument("--port", type=int, default=16780, help="port of the side that runs")
    parser.add_argument("--batches", type=int, default=3, help="of 200 requests, of each read")
    parser.add_argument("--mage-runs", type=int, default=7)
    parser.add_argument("--isthmus-runs", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="write bench/results.md")
    return parser.parse_args()


def measure(side: sides.Side, chosen: argparse.Namespace) -> report.Figures:
    """All chosen parts on one running side, with equal data."""
    parts = chosen.parts.split(",")
    figures = report.Figures(side.name, side.versions)
    say(f"{side.name}: makes 50 pipelines and 300 runs")
    data = seed.fill(side, runs="reads" in parts)
    if "reads" in parts:
        figures.idle_cpu = reads.idle_cpu(side)
        for read in reads.READS:
            say(f"{side.name}: GET {read.path}")
            figures.reads[read.path] = reads.measure(side, read, chosen.batches)
    if "latency" in parts:
        count = chosen.mage_runs if side.is_mage else chosen.isthmus_runs
        say(f"{side.name}: {count} runs, one after the other")
        figures.latencies = latency.one_by_one(side, data.trivial, count)
    if "throughput" in parts:
        for _ in range(1 if side.is_mage else 3):
            say(f"{side.name}: 50 runs at once")
            figures.throughputs.append(latency.at_once(side, data.trivial, 50))
    if "data" in parts and not side.is_mage:
        say(f"{side.name}: 100,000 rows through three blocks")
        figures.data = latency.own_and_wall(side, seed.make_data_pipeline(side), 7)
    return figures


def say(text: str) -> None:
    """Tell whoever waits; results go to standard output."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure the sides one after the other, so that neither disturbs the other."""
    chosen = options()
    machine = report.machine()
    found = []
    for name in chosen.sides.split(","):
        with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as folder:
            start = sides.mage if name == "mage" else sides.isthmus
            with start(Path(folder), chosen.port, chosen.mage) as side:
                found.append(measure(side, chosen))
    page = report.page(machine, found)
    print(page)
    if chosen.write:
        (Path(__file__).parent / "results.md").write_text(page)


if __name__ == "__main__":
    main()
