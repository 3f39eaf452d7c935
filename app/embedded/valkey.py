"""The embedded Valkey: carries hints, and keeps them over a crash."""

import os
import signal
import socket
from pathlib import Path

from app.embedded.binaries import find_valkey
from app.embedded.errors import EmbeddedError
from app.embedded.home import private_folder, socket_folder
from app.embedded.process import ServerProcess

SOCKET = "valkey.sock"
START_LIMIT_S = 60.0


class Valkey(ServerProcess):
    """Valkey below a home folder, on a unix socket only."""

    def __init__(self, home: Path, *, durable: bool) -> None:
        super().__init__("Valkey", home, "valkey", signal.SIGTERM)
        self._home = home
        self._durable = durable
        self._socket: Path | None = None

    def start(self) -> None:
        """Start the server; returns when it answers."""
        lock = self.claim()
        try:
            area = private_folder(self._home.resolve() / "valkey")
            data = private_folder(area / "data")
            path = socket_folder(area, SOCKET) / SOCKET
            path.unlink(missing_ok=True)
            self._socket = path
            command: list[str | Path] = [
                *(find_valkey(), "--port", "0"),
                *("--unixsocket", path, "--unixsocketperm", "700"),
                *("--dir", data, "--save", "", "--maxmemory-policy", "noeviction"),
                *("--appendonly", "yes" if self._durable else "no"),
            ]
            self.spawn(command, lock, None)
        finally:
            os.close(lock)
        self.wait_until(self._ready, START_LIMIT_S)

    @property
    def url(self) -> str:
        """Redis URL of the socket: of this server, or of one that another process runs here."""
        if self._socket is None:
            if not (self._home / "valkey").exists():
                raise EmbeddedError(f"There is no queue in {self._home} yet.")
            area = private_folder(self._home.resolve() / "valkey")
            self._socket = socket_folder(area, SOCKET) / SOCKET
        return f"unix://{self._socket}"

    def _ready(self) -> bool:
        """It refuses with LOADING while it reads its log back."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False
