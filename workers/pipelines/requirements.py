"""What projects' requirements.txt ask for: installed with pip, or missed with a warning."""

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import structlog
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from app.core import db
from app.pipelines import reads_files

log = structlog.get_logger()
OURS = "isthmus"
WAIT_S = 60


async def prepare(*, install: bool, environ: Mapping[str, str]) -> bool:
    """See to what all projects require; False where pip was asked and could not install it.

    Without `install` a warning names each project with what it lacks. `environ` is pip's.
    """
    if install:
        await db.wait_until_reachable(WAIT_S)
    try:
        rows = await reads_files.requirements()
    except Exception as error:
        if install:
            raise
        # A worker starts while the database is away, or not migrated yet.
        log.warning("worker.requirements_unknown", error=type(error).__name__)
        return True
    texts = {row["project"]: row["content"] for row in rows}
    if install and texts and not await _install(texts, environ):
        log.error(
            "worker.not_installed",
            hint="pip could not install what the projects require; its output is above.",
        )
        return False
    for project, text in texts.items():
        lacking = missing(text)
        if lacking:
            log.warning(
                "worker.requirements_missing",
                project=project,
                packages=lacking,
                hint="Start it with `isthmus worker --install`, or install them here.",
            )
    return True


def missing(text: str) -> list[str]:
    """Requirements of a requirements.txt that this environment does not meet."""
    return [str(wanted) for wanted in _requirements(text) if not _is_met(wanted)]


async def _install(texts: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Install all requirements at once, so that pip sees where they contradict each other."""
    with tempfile.TemporaryDirectory(prefix="isthmus-requirements-") as folder:
        files = _write(Path(folder), texts)
        arguments = [part for file in files for part in ("-r", str(file))]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check"),
            *("-c", str(Path(folder, "constraints.txt")), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env=dict(environ),
        )
        try:
            return await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """One file a project, and constraints that keep what we run on as it is."""
    pinned = sorted(f"{name}=={version}" for name, version in _own_packages().items())
    Path(folder, "constraints.txt").write_text("\n".join(pinned))
    files = [folder / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text)
    return files


def _own_packages() -> dict[str, str]:
    """Versions of all that this program needs, at any distance."""
    found: dict[str, str] = {}
    todo, done = [Requirement(OURS)], set()
    while todo:
        package = todo.pop()
        name = canonicalize_name(package.name)
        if (name, *sorted(package.extras)) in done:
            continue
        done.add((name, *sorted(package.extras)))
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        needed = map(Requirement, metadata.requires(name) or [])
        todo += [r for r in needed if _applies(r, package.extras)]
    found.pop(OURS, None)
    return found


def _requirements(text: str) -> Iterator[Requirement]:
    """The named packages; options, URLs and paths cannot be looked up, and are left to pip."""
    for line in _lines(text.splitlines()):
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if _applies(wanted):
            yield wanted


def _lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        # A comment begins at the line's start or behind white space; options follow the name.
        bare = re.split(r"(?:^|\s)#|\s--", line, maxsplit=1)[0].strip()
        if bare and not bare.startswith("-"):
            yield bare


def _applies(wanted: Requirement, extras: Iterable[str] = ()) -> bool:
    asked = ("", *extras)
    return wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in asked)


def _is_met(wanted: Requirement) -> bool:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return False
    return wanted.specifier.contains(version, prereleases=True)
