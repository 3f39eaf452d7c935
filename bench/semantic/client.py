"""Sends the same request again and again over kept connections, at little cost of its own."""

import selectors
import socket
import time
from dataclasses import dataclass

TIMEOUT_S = 60


@dataclass(frozen=True)
class Waits:
    """Seconds: of each request, and of all together."""

    each: list[float]
    whole: float


class Wire:
    """A connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = bytearray()
        self._size = 0
        self.began = 0.0

    def ask(self, request: bytes) -> None:
        """Send a request; the answer before must have come."""
        self._came.clear()
        self._size = 0
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> bytes | None:
        """Take what has come; the answer's body once it is whole. ConnectionError where it ends."""
        chunk = self.socket.recv(1 << 20)
        if not chunk:
            raise ConnectionError("The server closed the connection.")
        self._came += chunk
        if not self._size:
            end = self._came.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._size = end + 4 + _length(bytes(self._came[:end]).lower())
        if len(self._came) < self._size:
            return None
        return bytes(self._came[self._came.find(b"\r\n\r\n") + 4 :])


def _length(head: bytes) -> int:
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode())
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])


def wire(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST as it is sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answered(port: int, request: bytes) -> bytes:
    """The body of one answer."""
    one = Wire(port)
    with one.socket:
        one.ask(request)
        while (body := one.read()) is None:
            pass
        return body


def repeat(port: int, request: bytes, times: int, connections: int, size: int) -> Waits:
    """Ask so often over so many connections; RuntimeError for an answer of another size."""
    wires = [Wire(port) for _ in range(connections)]
    each: list[float] = []
    with selectors.DefaultSelector() as ready:
        for one in wires:
            ready.register(one.socket, selectors.EVENT_READ, one)
        began = time.perf_counter()
        for one in wires:
            one.ask(request)
        left = times - connections
        while len(each) < times:
            for key, _ in ready.select(TIMEOUT_S):
                body = key.data.read()
                if body is None:
                    continue
                if len(body) != size:
                    raise RuntimeError(f"{len(body)} bytes, not {size}: {body[:500]!r}")
                each.append(time.perf_counter() - key.data.began)
                if left > 0:
                    left -= 1
                    key.data.ask(request)
        whole = time.perf_counter() - began
    for one in wires:
        one.socket.close()
    return Waits(each, whole)
