"""A MariaDB server for a pytest session, unsafe at a crash and fast."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pymysql
import pytest

from tests.servers import open_folder

PASSWORD = "canary-maria"
_OPTIONS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--server-id=1",
    "--log-bin=log",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--performance-schema=OFF",
)


@dataclass(frozen=True)
class Maria:
    """A running server."""

    port: int

    def connect(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="isthmus",
            password=PASSWORD,
            database=database,
            autocommit=True,
            charset="utf8mb4",
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
        )


@pytest.fixture(scope="session")
def maria() -> Iterator[Maria]:
    """MariaDB, started once."""
    server = shutil.which("mariadbd")
    assert server, "mariadbd is not installed"
    with open_folder() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        user = ["--user=root"] if os.geteuid() == 0 else []
        common = ["--no-defaults", f"--datadir={folder}/data", *user]
        subprocess.run(
            [
                "mariadb-install-db",
                *common,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        start = folder / "start.sql"
        start.write_text(
            f"CREATE USER isthmus@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO isthmus@'%' WITH GRANT OPTION;\n"
        )
        sockets = [f"--socket={folder}/s.sock", f"--port={port}", f"--init-file={start}"]
        process = subprocess.Popen(
            [server, *common, *sockets, *_OPTIONS], stderr=(folder / "log").open("w")
        )
        try:
            _await(Maria(port), process)
            yield Maria(port)
        finally:
            process.kill()
            process.wait()


def _await(maria: Maria, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            maria.connect().close()
            return
        except pymysql.MySQLError:
            assert process.poll() is None and time.monotonic() < end, "MariaDB does not start"
            time.sleep(0.1)
