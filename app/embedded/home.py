"""The home folder: where data lives, who may enter, and that one launcher at a time uses it."""

import fcntl
import hashlib
import os
import pwd
import re
import secrets
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import EmbeddedError

ROOT_HOME = Path("/var/lib/isthmus")
SOCKET_PATH_LIMIT = 103  # bytes; what macOS allows, Linux allows 107
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class Account:
    """The user that PostgreSQL runs as when the launcher is root."""

    name: str
    uid: int
    gid: int


def default_home() -> Path:
    """The folder for data when none is named: per user, and /var/lib/isthmus for root."""
    if os.geteuid() == 0:
        return ROOT_HOME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "isthmus"
    return Path.home() / ".local" / "share" / "isthmus"


def prepare_home(home: Path) -> None:
    """Create the home folder if it is missing; an existing folder keeps its mode.

    For root it can be passed through (0711), since PostgreSQL runs as another user
    in a folder below it; everything inside is closed on its own.
    """
    home.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        if not home.is_dir():
            raise EmbeddedError(f"{home} is not a folder. Set ISTHMUS_HOME to one.") from None
        return
    if os.geteuid() == 0:
        home.chmod(0o711)


def lock_home(home: Path) -> int:
    """Take the home for this process and return the open lock; closing it gives the home back."""
    path = home / "lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 32).decode(errors="replace").strip()
        os.close(lock)
        process = f" (process {holder})" if holder else ""
        raise EmbeddedError(
            f"Another isthmus{process} is running on {home}. "
            "Stop it, or set ISTHMUS_HOME to another folder."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def private_folder(path: Path, account: Account | None = None) -> Path:
    """Create a folder that only its owner may enter, or refuse one that others could have made.

    Root keeps the way into another account's folder by its group: blocks give up root's power
    over other users' files, and reach the built-in database by its socket.
    """
    uid = account.uid if account else os.geteuid()
    mode = 0o710 if account else 0o700
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        # Root's own folder is one that an earlier launcher made and had no time to hand over.
        known_owner = found.st_uid in (uid, os.geteuid())
        if not stat.S_ISDIR(found.st_mode) or not known_owner or found.st_mode & 0o777 & ~mode:
            raise EmbeddedError(
                f"{path} must be a folder of user {_user_name(uid)} with mode 0700. "
                "Remove or repair it."
            ) from None
    if account:
        os.chown(path, account.uid, os.getegid())
        path.chmod(mode)
    return path


def password(home: Path, role: str, *, create: bool) -> str:
    """The password of a database role, kept in a file that only the owner of the home reads."""
    path = private_folder(home / "passwords") / role
    if path.exists():
        return path.read_text().strip()
    if not create:
        raise EmbeddedError(
            f"{path} is missing, and the database already exists. "
            f"Put the password of role {role} back into it."
        )
    word = secrets.token_hex(24)
    # Written aside, so that a crash leaves no half password behind.
    aside = path.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(word + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    return word


def postgres_account(area: Path) -> Account | None:
    """Who PostgreSQL, which refuses to run as root, runs as; None for the caller's own user."""
    if os.geteuid() != 0:
        if not _has_name(os.geteuid()):
            raise EmbeddedError(
                f"User {os.geteuid()} has no entry in the password database, and PostgreSQL "
                "needs one. Add it, or set DATABASE_URL."
            )
        return None
    # Data of an earlier start stays with its owner, even if user postgres was created since.
    if area.exists() and (owner := area.stat().st_uid) != 0 and _has_name(owner):
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor "
        "nobody. Run isthmus as an ordinary user, or set DATABASE_URL."
    )


def postgres_area(home: Path, account: Account | None) -> Path:
    """The folder with PostgreSQL's data: `<home>/postgres`, or what that link points to.

    A home that the account cannot reach (for instance below /root) gets its data in
    /var/lib/isthmus/homes, and a link to it.
    """
    link = home / "postgres"
    if account and not link.exists() and not can_enter(home, account):
        elsewhere = private_homes() / _short_hash(home)
        private_folder(elsewhere, account)
        link.unlink(missing_ok=True)  # a link whose target was removed
        link.symlink_to(elsewhere)
    area = link.resolve()
    if account and not can_enter(area.parent, account):
        raise EmbeddedError(
            f"User {account.name}, which PostgreSQL runs as, cannot enter {area.parent}. "
            "Open the way to it (chmod o+x), or set ISTHMUS_HOME to another folder."
        )
    return private_folder(area, account)


def private_homes() -> Path:
    """Where root keeps data of homes that PostgreSQL's account cannot reach."""
    folder = shared_root() / "homes"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


def shared_root() -> Path:
    """Root's own folder /var/lib/isthmus, which other users may pass through but not list."""
    prepare_home(ROOT_HOME)
    if not ROOT_HOME.stat().st_mode & stat.S_IXOTH:
        ROOT_HOME.chmod(0o711)
    return ROOT_HOME


def socket_folder(area: Path, socket_name: str, account: Account | None = None) -> Path:
    """A private folder whose sockets have paths that are short and plain enough for all clients.

    `<area>/run`, or a folder below the temporary folder when that path is too long or has
    characters that mean something in a URL.
    """
    folder = area / "run"
    if not PLAIN_PATH.fullmatch(str(folder)) or _too_long(folder / socket_name):
        temporary = Path(tempfile.gettempdir()).resolve()
        if account and not can_enter(temporary, account):
            temporary = Path("/tmp")
        folder = temporary / f"isthmus-{_short_hash(area)}"
        if not PLAIN_PATH.fullmatch(str(folder)) or _too_long(folder / socket_name):
            raise EmbeddedError(
                f"The paths of {area} and {temporary} are too long or too unusual for sockets. "
                "Set ISTHMUS_HOME to a folder with a short, plain path."
            )
    return private_folder(folder, account)


def can_enter(folder: Path, account: Account) -> bool:
    """Whether the modes of a folder and of all above it let the account pass."""
    for part in (folder.resolve(), *folder.resolve().parents):
        found = part.stat()
        if found.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            return False
    return True


def _too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > SOCKET_PATH_LIMIT


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _user_name(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name if _has_name(uid) else str(uid)
