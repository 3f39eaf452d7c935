"""Servers that take messages and keep them: HTTP and SMTP, each in a thread."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


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


def certificate(folder: Path, name: str) -> Path:
    """A certificate for a host that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + encoded)
    return path


@contextmanager
def http_sink(tls: Path | None = None) -> Iterator[HttpSink]:
    """A server on a free port of this machine; with a certificate's file it speaks HTTPS."""
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
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        sink.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sink
        server.shutdown()


@dataclass
class SmtpSink:
    """What has come in. `refused`: a code for every receiver instead of taking the message."""

    port: int = 0
    refused: int | None = None
    tls: int = 0
    logins: list[str] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)


@contextmanager
def smtp_sink(tls: Path | None = None) -> Iterator[SmtpSink]:
    """A server on a free port that offers a login; with a certificate's file STARTTLS too."""
    sink = SmtpSink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"STARTTLS" and tls:
                    self._start_tls(tls)
                    continue
                if word == b"QUIT":
                    self._say("221 bye")
                    return
                self._answer(word, line.decode().strip())

        def _start_tls(self, own: Path) -> None:
            self._say("220 go on")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(own)
            self.request = context.wrap_socket(self.request, server_side=True)
            sink.tls += 1
            self.rfile = self.request.makefile("rb")
            self.wfile = self.request.makefile("wb", buffering=0)

        def _answer(self, word: bytes, line: str) -> None:
            if word == b"EHLO":
                offers = "250-STARTTLS\r\n" if tls else ""
                self._say(f"250-sink\r\n{offers}250 AUTH PLAIN")
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
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
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
