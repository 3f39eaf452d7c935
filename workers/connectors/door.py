"""The way out for HTTP: a proxy in this process that connects to checked addresses only.

Libraries in C resolve names by themselves, follow redirects, and take endpoints from the servers that
they talk to. All of them know proxies: with this one between, every connection goes to an address that
`Session.address` has checked, while TLS goes on between the library and the server.
"""

import contextlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from workers.connectors.base import SyncError

CONNECT_S = 10
IDLE_S = 120
"""How long a server may be silent, or take nothing."""
LINGER_S = 5
LONGEST_HEAD = 64 * 1024
REFUSED = b"HTTP/1.1 403 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_WAYS = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_PAST_THEM = ("no_proxy", "NO_PROXY")
_ONCE = (b"connection:", b"proxy-connection:", b"keep-alive:")

Address = Callable[[str, int], str]


class Door:
    """A proxy on a port of 127.0.0.1, until `close`."""

    def __init__(self, address: Address) -> None:
        self._before: dict[str, str | None] = {}
        self.refused: SyncError | None = None
        """Why the last connection was refused: clients only learn that it was."""

        def connected(host: str, port: int) -> socket.socket:
            try:
                return socket.create_connection((address(host, port), port), CONNECT_S)
            except SyncError as error:
                self.refused = error
                raise
            except OSError:
                self.refused = SyncError("The server cannot be reached, or went away.", retry=True)
                raise

        handler = type("_Bound", (_Passage,), {"connected": staticmethod(connected)})
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.socket.listen(128)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def lead(self) -> None:
        """Have clients that take no other word for it than the environment's come here until `close`."""
        if not self._before:
            self._before = {name: os.environ.get(name) for name in (*_WAYS, *_PAST_THEM)}
            os.environ.update(dict.fromkeys(_WAYS, self.url), **dict.fromkeys(_PAST_THEM, ""))

    def close(self) -> None:
        """Take no more connections."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._server.shutdown()
        self._server.server_close()


class _Passage(socketserver.BaseRequestHandler):
    connected: Callable[[str, int], socket.socket]

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.settimeout(IDLE_S)
            head, _, rest = self._head()
            # From here on the client waits for itself, and goes away when it has waited enough.
            self.request.settimeout(None)
            self._answer(head, rest)
            self._linger()

    def _answer(self, head: bytes, rest: bytes) -> None:
        line, *fields = head.split(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3:
            return
        method, target, version = words
        try:
            if method == b"CONNECT":
                host, _, port = target.decode().rpartition(":")
                with self.connected(host.strip("[]"), int(port)) as server:
                    self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self._pass(server, rest)
                return
            url = urlsplit(target.decode())
            with self.connected(url.hostname or "", url.port or 80) as server:
                path = (url.path or "/") + (f"?{url.query}" if url.query else "")
                # One request each: the next one may be for another server.
                kept = [field for field in fields if not field.lower().startswith(_ONCE)]
                lines = [b" ".join((method, path.encode(), version)), *kept, b"Connection: close"]
                self._pass(server, b"\r\n".join(lines) + b"\r\n\r\n" + rest)
        except (SyncError, OSError, ValueError):
            with contextlib.suppress(OSError):
                # Clients would try again after a 502, for minutes.
                self.request.sendall(REFUSED)

    def _head(self) -> tuple[bytes, bytes, bytes]:
        read = b""
        while b"\r\n\r\n" not in read and len(read) < LONGEST_HEAD:
            more = self.request.recv(16 * 1024)
            if not more:
                break
            read += more
        return read.partition(b"\r\n\r\n")

    def _pass(self, server: socket.socket, first: bytes) -> None:
        """Carry bytes both ways until the server is done."""
        server.settimeout(IDLE_S)
        # A server that goes away now gives no answer, which is not the same as a refusal.
        with contextlib.suppress(OSError):
            server.sendall(first)
        up = threading.Thread(target=_carry, args=(self.request, server), daemon=True)
        up.start()
        _carry(server, self.request)

    def _linger(self) -> None:
        """Read what the client still sends: closed with that unread, it would lose the answer."""
        self.request.shutdown(socket.SHUT_WR)
        end = time.monotonic() + LINGER_S
        try:
            while (left := end - time.monotonic()) > 0:
                self.request.settimeout(left)
                if not self.request.recv(256 * 1024):
                    break
        finally:
            # Ends the thread that carries up, too.
            self.request.shutdown(socket.SHUT_RD)


def _carry(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(256 * 1024):
            to.sendall(piece)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)
