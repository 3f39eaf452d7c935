"""`isthmus`: one command line; one file per command."""

import gc

from app.cli.main import app as cli


def main() -> None:
    """The console script."""
    # What is imported is never garbage, and looking for some is a tenth of the time to start.
    gc.set_threshold(10_000, 20, 20)
    cli()
