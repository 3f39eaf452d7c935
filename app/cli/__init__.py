"""`isthmus`: one command line; one file per command."""

from app.cli.main import app as cli


def main() -> None:
    """The console script."""
    cli()
