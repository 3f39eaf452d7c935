"""The embedded PostgreSQL: created once with its two roles and databases, then started."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from app.embedded.binaries import PostgresBinaries, find_postgres
from app.embedded.errors import EmbeddedError
from app.embedded.home import (
    Account,
    password,
    postgres_account,
    postgres_area,
    socket_folder,
)
from app.embedded.process import ENVIRONMENT, ServerProcess, die_with_parent, switch_user

SUPERUSER = "postgres"
ROLES = ("isthmus", "warehouse")
SOCKET = ".s.PGSQL.5432"
START_LIMIT_S = 300.0  # replay after a crash may take long
SMALL_SHARED_MEMORY = 256 * 1024**2
SLOT_LIMIT = "4GB"  # more of the log is not kept for a slot that nobody reads
# No line for physical replication, none for TCP.
CLIENT_RULES = "local all all scram-sha-256\n"
READS_LOG = """DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'warehouse' AND NOT rolreplication) THEN
    ALTER ROLE warehouse REPLICATION;
  END IF;
END $$"""
UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "file_copy_method=clone")


class Postgres(ServerProcess):
    """PostgreSQL below a home folder, on a unix socket only."""

    def __init__(self, home: Path, *, durable: bool) -> None:
        super().__init__("PostgreSQL", home, "postgres", signal.SIGINT)
        self._home = home
        self._durable = durable
        self._sockets: Path | None = None

    def start(self) -> None:
        """Start the server, creating its data on the first call; returns when it answers."""
        lock = self.claim()
        try:
            account = postgres_account(self._home / "postgres")
            area = postgres_area(self._home, account)
            binaries = find_postgres(account)
            data = area / "data"
            if not data.exists():
                self._create(data, binaries, account, lock)
            _check_version(data, binaries)
            self._sockets = socket_folder(area, SOCKET, account)
            # Nothing lives that these could belong to, and PostgreSQL itself would believe a
            # stale pid that another program has meanwhile.
            for stale in (data / "postmaster.pid", *self._sockets.glob(f"{SOCKET}*")):
                stale.unlink(missing_ok=True)
            program: Path | str = binaries.folder / "postgres"
            self.spawn([program, "-D", data, *self._options(self._sockets)], lock, account)
        finally:
            os.close(lock)
        self.wait_until(lambda: self._ready(data), START_LIMIT_S)
        self._bring_up_to_date(binaries)

    def url(self, role: str, database: str) -> str:
        """SQLAlchemy URL (asyncpg) of a database, with the role's password."""
        word = password(self._home, role, create=False)
        return f"postgresql+asyncpg://{role}:{word}@/{database}?host={self.socket_folder}&port=5432"

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket: of this server, or of one that another process runs here."""
        if self._sockets is None:
            if not (self._home / "postgres").exists():
                raise EmbeddedError(f"There is no database in {self._home} yet.")
            account = postgres_account(self._home / "postgres")
            area = postgres_area(self._home, account)
            self._sockets = socket_folder(area, SOCKET, account)
        return self._sockets

    def _options(self, sockets: Path) -> list[str]:
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={sockets}",
            # Logs are read by SQL. A sender could also copy the whole cluster (BASE_BACKUP), the
            # metadata included, and SQL blocks get the password of a role with REPLICATION.
            "wal_level=logical",
            "max_wal_senders=0",
            f"max_slot_wal_keep_size={SLOT_LIMIT}",
            "max_connections=100",
        ]
        if _small_shared_memory():
            settings.append("dynamic_shared_memory_type=mmap")
        if not self._durable:
            settings.extend(UNSAFE)
        return [word for setting in settings for word in ("-c", setting)]

    def _ready(self, data: Path) -> bool:
        """The server writes its state into the eighth line of its pid file."""
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _bring_up_to_date(self, binaries: PostgresBinaries) -> None:
        """What a home that an earlier version made still lacks: the warehouse may read its log."""
        result = subprocess.run(
            [
                *(binaries.folder / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1"),
                *("-h", self.socket_folder, "-U", SUPERUSER, "-d", "postgres"),
                *("-c", READS_LOG),
            ],
            env={**ENVIRONMENT, "PGPASSWORD": password(self._home, SUPERUSER, create=False)},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise EmbeddedError(f"The database is not as it was made: {result.stderr.strip()}")

    def _create(
        self, data: Path, binaries: PostgresBinaries, account: Account | None, lock: int
    ) -> None:
        """Make data, roles and databases aside and rename, so that a crash leaves all or none."""
        aside = data.with_name("data.new")
        if aside.exists():
            shutil.rmtree(aside)
        words = {role: password(self._home, role, create=True) for role in (SUPERUSER, *ROLES)}
        # PostgreSQL's account may not enter the folder of passwords.
        word_file = data.with_name("password.new")
        word_file.unlink(missing_ok=True)
        with os.fdopen(
            os.open(word_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            file.write(words[SUPERUSER] + "\n")
        if account:
            os.chown(word_file, account.uid, account.gid)
        initdb: list[str | Path] = [
            *(binaries.folder / "initdb", "-D", aside, "-U", SUPERUSER, "-A", "scram-sha-256"),
            *(f"--pwfile={word_file}", "-E", "UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        if not self._durable:
            initdb.append("--no-sync")
        _run(initdb, "", account, lock)
        word_file.unlink()
        (aside / "pg_hba.conf").write_text(CLIENT_RULES)
        single_user: list[str | Path] = [
            *(binaries.folder / "postgres", "--single", "-D", aside, "-c", "exit_on_error=on"),
            *("-c", "log_min_error_statement=panic"),  # statements carry passwords
            SUPERUSER,
        ]
        _run(single_user, _roles_and_databases(words), account, lock)
        aside.rename(data)


def _roles_and_databases(words: dict[str, str]) -> str:
    """One statement a line, as the single-user mode reads them."""
    statements = [
        f"CREATE ROLE isthmus LOGIN PASSWORD '{words['isthmus']}'",
        "CREATE DATABASE isthmus OWNER isthmus",
        f"CREATE ROLE warehouse LOGIN REPLICATION PASSWORD '{words['warehouse']}'",
        "CREATE DATABASE warehouse OWNER warehouse",
        # Each role enters its own database only.
        "REVOKE ALL ON DATABASE isthmus, warehouse, postgres, template1 FROM PUBLIC",
    ]
    return "\n".join(statements) + "\n"


def _check_version(data: Path, binaries: PostgresBinaries) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    if found != binaries.major:
        raise EmbeddedError(
            f"{data} was made by PostgreSQL {found}, and this installation brings "
            f"{binaries.major}. Dump it with the earlier isthmus (pg_dumpall), move the folder "
            "away, start, and restore the dump."
        )


def _run(command: list[str | Path], text: str, account: Account | None, lock: int) -> None:
    result = subprocess.run(
        command,
        cwd="/",
        env=ENVIRONMENT,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        pass_fds=(lock,),
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
        umask=0o077,
        **switch_user(account),
    )
    if result.returncode != 0:
        raise EmbeddedError(f"PostgreSQL could not create its data: {result.stdout.strip()}")


def _small_shared_memory() -> bool:
    """Whether /dev/shm is too small for parallel queries, as the 64 MB of most containers."""
    try:
        memory = os.statvfs("/dev/shm")
    except OSError:
        return False
    return memory.f_frsize * memory.f_blocks < SMALL_SHARED_MEMORY
