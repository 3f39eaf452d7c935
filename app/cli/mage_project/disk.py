"""The text files of a project folder: which are read, which are secret, how they are written."""

import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from app.cli.mage_project.model import Remarks
from app.core.errors import Invalid
from app.pipelines.actions.files import FILE_BYTES
from app.pipelines.paths import fault_of_path

MADE_BY_PROGRAMS = {
    *(".git", ".svn", ".hg", "__pycache__", ".ipynb_checkpoints", ".pytest_cache"),
    *(".logs", ".variables", ".file_versions", ".cache", ".mage_temp_profiles", "mage_data"),
    *(".venv", "venv", "node_modules", ".DS_Store", ".log"),
}
DBT_MAKES = {"target", "logs", "dbt_packages"}
"""Folders beside a dbt_project.yml that dbt writes."""

SECRET = (
    *("io_config.yaml", ".env", ".env.*", "*.env", "profiles.yml", ".preferences.yaml"),
    *("*.pem", "*.key", "*.p12", "secrets/*", ".ssh/*", ".ssh_tunnel/*"),
    *("*credentials*.json", "*service_account*.json", "*keyfile*.json"),
)
"""Files that are sealed: patterns of a path, or of a name in any folder."""


def is_secret(path: str, more: Iterable[str] = ()) -> bool:
    """Whether a file is sealed when it is taken."""
    name = path.rpartition("/")[2]
    return any(fnmatch(path, p) or fnmatch(name, p) for p in (*SECRET, *more))


def read_texts(root: Path, remarks: Remarks) -> dict[str, str]:
    """Every text file below a folder by its path; what is left out is told."""
    found: dict[str, str] = {}
    for path, entry in _files(root, "", remarks):
        fault = fault_of_path(path)
        if fault:
            remarks.not_taken.append(f"{path!a}: {fault}")
            continue
        text = _text(Path(entry.path))
        if isinstance(text, str):
            found[path] = text
        else:
            remarks.not_taken.append(f"{path}: {text[0]}")
    return found


def _files(folder: Path, prefix: str, remarks: Remarks) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    is_dbt = any(entry.name == "dbt_project.yml" for entry in entries)
    for entry in entries:
        path = prefix + entry.name
        if entry.name in MADE_BY_PROGRAMS or (is_dbt and entry.name in DBT_MAKES):
            continue
        if entry.is_symlink():
            remarks.not_taken.append(f"{path}: a link")
        elif entry.is_dir():
            yield from _files(Path(entry.path), f"{path}/", remarks)
        elif stat.S_ISREG(entry.stat().st_mode):
            yield path, entry
        else:
            remarks.not_taken.append(f"{path}: not a file")


def _text(path: Path) -> str | tuple[str]:
    """The content, or why it is not taken as a tuple of one."""
    try:
        if path.stat().st_size > FILE_BYTES:
            return (f"larger than {FILE_BYTES} bytes",)
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return ("not a text file",)
    except OSError as error:
        return (f"cannot be read ({error.strerror})",)
    return ("not a text file",) if "\x00" in text else text


def is_empty(root: Path) -> bool:
    """Whether a folder is not there or holds nothing."""
    return not root.exists() or not any(root.iterdir())


def changed_texts(root: Path, texts: dict[str, str]) -> dict[str, bool]:
    """Paths whose file below `root` holds something else, or (True) is not there."""
    targets = {path: _inside(root, path) for path in texts}
    return {
        path: not target.exists()
        for path, target in targets.items()
        if not _holds(target, texts[path])
    }


def write_text(root: Path, path: str, text: str, *, private: bool) -> None:
    """Write a file below `root`, never through a link; a private one for its owner only."""
    target = _inside(root, path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:100]}.part")
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(part, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(text.encode())
        part.replace(target)
    except OSError as error:
        raise Invalid(f"{target} cannot be written: {error.strerror}.") from error


def _inside(root: Path, path: str) -> Path:
    fault = fault_of_path(path)
    if fault:
        raise Invalid(f"{path!a}: {fault}")
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise Invalid(f"{path} leads out of {root} through a link.")
    return target


def _holds(path: Path, text: str) -> bool:
    return not path.is_symlink() and path.is_file() and path.read_bytes() == text.encode()
