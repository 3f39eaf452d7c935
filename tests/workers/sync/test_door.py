"""The proxy through which destinations reach HTTP: what its clients see when it does not let through."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from workers.connectors.base import SyncError
from workers.connectors.door import Address, Door

MUCH = b"x" * 4_000_000


@contextmanager
def client(address: Address) -> Iterator[tuple[Door, socket.socket]]:
    """A connection to a door."""
    door = Door(address)
    host, _, port = door.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield door, connection
    door.close()


def whole(connection: socket.socket) -> bytes:
    """All that comes until the other side is done."""
    read = b""
    while piece := connection.recv(64 * 1024):
        read += piece
    return read


def refuse(host: str, port: int) -> str:
    """No address is right."""
    raise SyncError("No.")


def test_a_refusal_arrives_though_nobody_reads_the_body() -> None:
    with client(refuse) as (door, connection):
        connection.sendall(b"PUT http://s3.example.com/a HTTP/1.1\r\n\r\n" + MUCH)
        assert whole(connection).startswith(b"HTTP/1.1 403 ")
        assert str(door.refused) == "No."


def test_an_answer_that_comes_before_the_body_arrives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, client(lambda *_: "127.0.0.1") as pair:
        port = server.getsockname()[1]
        head = b"PUT http://s3.example.com:%d/a?b=c HTTP/1.1\r\nHost: x\r\nConnection: x\r\n\r\n"
        pair[1].sendall(head % port)
        served, _ = server.accept()
        with served:
            lines = served.recv(64 * 1024).split(b"\r\n")
            served.sendall(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")
        assert lines[:3] == [b"PUT /a?b=c HTTP/1.1", b"Host: x", b"Connection: close"]
        pair[1].sendall(MUCH)
        assert whole(pair[1]).startswith(b"HTTP/1.1 400 ")


def test_a_server_that_goes_away_is_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, client(lambda *_: "127.0.0.1") as pair:
        pair[1].sendall(b"GET http://s3.example.com:%d/ HTTP/1.1\r\n\r\n" % server.getsockname()[1])
        server.accept()[0].close()
        assert whole(pair[1]) == b""
        assert pair[0].refused is None
