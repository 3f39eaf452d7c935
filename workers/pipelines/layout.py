"""What surrounds a run's blocks: the project's files below `repo_path`, and its secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Surroundings:
    """The folder that blocks see as `repo_path`, and the project's secrets by name."""

    repo_path: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


async def lay_out(project_id: int, folder: Path) -> Surroundings:
    """Write the project's files as they are now below `folder`."""
    return Surroundings(folder)
