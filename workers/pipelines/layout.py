"""What surrounds a run's blocks: the project's files below `repo_path`, and its secrets.

What was read of a project is kept in this process's memory, opened, until it changes: blocks
cannot reach it there, which they could on a disk. Each run gets files of its own.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import RowMapping

from app.core.crypto import KeyRing, SecretError
from app.pipelines import reads_files
from app.pipelines.actions.files import file_place
from app.pipelines.actions.secrets import secret_place
from app.pipelines.paths import folders_of

KEPT_BYTES = 128 * 1024 * 1024
"""How much of projects' files this process keeps in memory."""


class CannotLayOut(Exception):
    """The run cannot have its surroundings; the text says why and what to do."""


@dataclass(frozen=True)
class Surroundings:
    """The folder that blocks see as `repo_path`, and the project's secrets by name.

    The folder above it is the run's own: blocks import `repo_path` by its name from there.
    """

    repo_path: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Known:
    """What a project held when its marks were these."""

    state: reads_files.ProjectState
    files: Mapping[str, bytes] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def size(self) -> int:
        return sum(map(len, (*self.files.values(), *self.secrets.values())))


_known: dict[int, _Known] = {}
_secret_keys = ""


def use_keys(secret_keys: str) -> None:
    """Open sealed files and secrets with this key ring's text; empty where there is none."""
    global _secret_keys
    _secret_keys = secret_keys


async def lay_out(project_id: int, folder: Path) -> Surroundings:
    """Write the project's files as they are now below `folder`, which is the run's own.

    CannotLayOut where the project is gone or something sealed does not open.
    """
    state = await reads_files.project_state(project_id)
    if state is None:
        raise CannotLayOut("The project was deleted.")
    known = _known.pop(project_id, None)
    if known is None or known.state != state:
        known = await _read(project_id, state)
    _keep(project_id, known)
    repo_path = folder / state.folder
    await asyncio.to_thread(_write, repo_path, known.files)
    return Surroundings(repo_path, known.secrets)


async def _read(project_id: int, state: reads_files.ProjectState) -> _Known:
    files = await reads_files.files_of(project_id) if state.files else ()
    secrets = await reads_files.secrets_of(project_id) if state.secrets else ()
    return await asyncio.to_thread(_opened, state, files, secrets)


def _opened(
    state: reads_files.ProjectState, files: Sequence[RowMapping], secrets: Sequence[RowMapping]
) -> _Known:
    return _Known(
        state,
        {row["path"]: _content(row).encode() for row in files},
        {
            row["name"]: _open(row["sealed"], secret_place(row["project_id"], row["name"]))
            for row in secrets
        },
    )


def _content(row: RowMapping) -> str:
    if row["sealed"] is None:
        return str(row["content"])
    return _open(row["sealed"], file_place(row["project_id"], row["path"]))


def _open(sealed: str, place: str) -> str:
    if not _secret_keys:
        raise CannotLayOut(
            "The project has secrets, and this worker has no ISTHMUS_SECRET_KEYS to open them: "
            "give it the same as the API has."
        )
    try:
        return KeyRing.parse(_secret_keys).open(sealed, place)
    except SecretError as error:
        raise CannotLayOut(
            f"{place} does not open with this worker's ISTHMUS_SECRET_KEYS: {error}"
        ) from error


def _keep(project_id: int, known: _Known) -> None:
    """Keep what was used last; what was not used for longest goes first."""
    _known[project_id] = known
    while len(_known) > 1 and sum(kept.size for kept in _known.values()) > KEPT_BYTES:
        del _known[next(iter(_known))]


def _write(repo_path: Path, files: Mapping[str, bytes]) -> None:
    repo_path.mkdir(mode=0o700, parents=True)
    made: set[str] = set()
    for path, content in files.items():
        target = repo_path / path
        for inner in folders_of(path):
            if inner not in made:
                (repo_path / inner).mkdir(mode=0o700)
                made.add(inner)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
