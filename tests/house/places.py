"""Where the house's files are."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "rest_compat", "workers")
NOT_OURS = {".git", "node_modules", "__pycache__", "dist", ".venv", "fresh_project"}


def sources(*packages: str) -> Iterator[Path]:
    """Python files of our packages."""
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def texts() -> Iterator[tuple[Path, str]]:
    """Text files of the checkout that people wrote, with their content."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci",) for part in parts[:-1])
        if hidden or NOT_OURS & set(parts) or not path.is_file():
            continue
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def documents() -> dict[str, str]:
    """README and all pages, by their path from the root."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")]
    pages += ROOT.glob("deploy/*.md")
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in pages}
