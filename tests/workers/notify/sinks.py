"""Servers that take messages and keep them: HTTP and SMTP, each in a thread."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class HttpSink:
    """What has come in; `answers` are the statuses of the next requests, then 200."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """An address of this server."""
        return f"http://{host}:{self.port}{path}"


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    """A server on a free port of this machine."""
    sink = HttpSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.posted.append(Posted(self.path, dict(self.headers.items()), json.loads(body)))
            status = sink.answers.pop(0) if sink.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", sink.url("/elsewhere"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sink
        server.shutdown()


@dataclass
class SmtpSink:
    """What has come in. `refused`: a code for every receiver instead of taking the message."""

    port: int = 0
    refused: int | None = None
    logins: list[str] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)


@contextmanager
def smtp_sink() -> Iterator[SmtpSink]:
    """A server on a free port that offers a login and no TLS."""
    sink = SmtpSink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            for line in self.rfile:
                word = line.split()[0].upper() if line.split() else b""
                if word == b"QUIT":
                    self._say("221 bye")
                    return
                self._answer(word, line.decode().strip())

        def _answer(self, word: bytes, line: str) -> None:
            if word == b"EHLO":
                self._say("250-sink\r\n250 AUTH PLAIN")
            elif word == b"AUTH":
                sink.logins.append(line.split()[-1])
                self._say("235 ok")
            elif word == b"RCPT" and sink.refused:
                self._say(f"{sink.refused} no")
            elif word == b"DATA":
                self._say("354 go on")
                sink.mails.append(self._mail())
                self._say("250 taken")
            else:
                if word == b"RCPT":
                    sink.receivers.append(line.split("<")[1].split(">")[0])
                self._say("250 ok")

        def _mail(self) -> Message:
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(line)
            return cast(Message, message_from_bytes(b"".join(lines), policy=default))

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        sink.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sink
        server.shutdown()
