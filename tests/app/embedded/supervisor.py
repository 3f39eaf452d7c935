"""Runs the supervisor with the stand-in commands: `supervisor.py HOME PORT [fail]`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.cli.dev import run_dev


def on_ready(environ: Mapping[str, str]) -> None:
    """What the demo would do; fails when the third argument says so."""
    if sys.argv[3:] == ["fail"]:
        raise ValueError("the demo project is broken")
    (Path(environ["ISTHMUS_HOME"]) / "loaded").write_text(environ["DATABASE_URL"])


status = run_dev(
    Path(sys.argv[1]),
    host="127.0.0.1",
    ports=[int(sys.argv[2])],
    environ=os.environ,
    on_ready=on_ready,
    command=[sys.executable, str(Path(__file__).with_name("stand_in.py"))],
)
sys.exit(status)
