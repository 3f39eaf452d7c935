"""MongoDB's messages on a socket (OP_MSG, and OP_QUERY of a first greeting), and its login by SCRAM."""

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable, Mapping
from typing import Any

import bson

from tests.workers.sync.mongo_values import CODEC, Doc

_ROUNDS = 4096


class Fault(Exception):
    """An error that the server tells."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """One client's socket: messages in, messages out, and who it is."""

    def __init__(
        self, answer: Callable[[Doc], Doc], users: Mapping[str, str] | None, socket: Any
    ) -> None:
        self.answer, self.users, self.socket = answer, users, socket
        self.user = "" if users is None else None
        self._scram: tuple[str, str, bytes] | None = None

    def serve(self) -> None:
        while (head := self._read(16)) is not None:
            length, request, _, code = struct.unpack("<iiii", head)
            body = self._read(length - 16)
            assert body is not None
            if code == 2013:
                answer = struct.pack("<iB", 0, 0) + self._answer(_document(body[5:]))
                self._send(2013, request, answer)
            else:
                assert code == 2004, code
                query = body[4 + body[4:].index(b"\0") + 1 + 8 :]
                reply = struct.pack("<iqii", 8, 0, 0, 1) + self._answer(
                    {**_document(query), "$db": "admin"}
                )
                self._send(1, request, reply)

    def _answer(self, command: Doc) -> bytes:
        try:
            told = self._told(command)
        except Fault as error:
            told = {"ok": 0.0, "code": error.code, "errmsg": str(error), "codeName": "Fault"}
        return bson.encode(told)

    def _told(self, command: Doc) -> Doc:
        name = next(iter(command))
        if name == "saslStart":
            return self._sasl_start(command)
        if name == "saslContinue":
            return self._sasl_continue(command)
        if self.user is None and name.lower() not in ("hello", "ismaster", "ping"):
            raise Fault(13, f"command {name} requires authentication")
        answer = self.answer(command)
        if "speculativeAuthenticate" in command:
            answer["speculativeAuthenticate"] = self._sasl_start(command["speculativeAuthenticate"])
        return answer

    def _sasl_start(self, command: Doc) -> Doc:
        assert command["mechanism"] == "SCRAM-SHA-256"
        bare = bytes(command["payload"]).decode().removeprefix("n,,")
        said = dict(part.split("=", 1) for part in bare.split(","))
        salt = secrets.token_bytes(16)
        first = (
            f"r={said['r']}{secrets.token_hex(8)},s={base64.b64encode(salt).decode()},i={_ROUNDS}"
        )
        self._scram = (said["n"], f"{bare},{first}", salt)
        return {"conversationId": 1, "done": False, "payload": first.encode(), "ok": 1.0}

    def _sasl_continue(self, command: Doc) -> Doc:
        assert self._scram is not None
        user, first, salt = self._scram
        final, _, proof = bytes(command["payload"]).decode().partition(",p=")
        salted = hashlib.pbkdf2_hmac(
            "sha256", (self.users or {}).get(user, "").encode(), salt, _ROUNDS
        )
        auth = f"{first},{final}".encode()

        def signed(key: bytes, text: bytes) -> bytes:
            return hmac.digest(key, text, "sha256")

        client = signed(salted, b"Client Key")
        signature = signed(hashlib.sha256(client).digest(), auth)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(client, signature, strict=True)):
            raise Fault(18, "Authentication failed.")
        self.user = user
        verifier = base64.b64encode(signed(signed(salted, b"Server Key"), auth)).decode()
        return {"conversationId": 1, "done": True, "payload": f"v={verifier}".encode(), "ok": 1.0}

    def _read(self, size: int) -> bytes | None:
        parts = b""
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                return None
            parts += part
        return parts

    def _send(self, code: int, request: int, body: bytes) -> None:
        self.socket.sendall(struct.pack("<iiii", 16 + len(body), 0, request, code) + body)


def _document(data: bytes) -> Doc:
    return bson.decode(data[: int.from_bytes(data[:4], "little")], CODEC)
