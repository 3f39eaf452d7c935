"""Secrets at rest: AES-256-GCM per value under a key ring that can be rotated.

A sealed value reads `v1:<key id>:<nonce>:<ciphertext>`; its place (table, row, field) is
authenticated with it, so that a ciphertext moved elsewhere does not open.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class SecretError(Exception):
    """A key ring that cannot be read, or a value that does not open."""


@dataclass(frozen=True)
class KeyRing:
    """Named 256-bit keys; the first encrypts, all decrypt."""

    keys: tuple[tuple[str, bytes], ...]

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """From `k2:<base64>,k1:<base64>`, each key 32 bytes long."""
        keys: list[tuple[str, bytes]] = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, colon, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                raise SecretError(f"Key {name!r} is not base64.") from error
            if not colon or not name or len(key) != 32:
                raise SecretError("ISTHMUS_SECRET_KEYS wants name:base64 of 32 bytes, by commas.")
            keys.append((name, key))
        if not keys:
            raise SecretError("The key ring is empty.")
        return cls(tuple(keys))

    @staticmethod
    def generate() -> str:
        """The text of a new ring with one random key."""
        return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()

    def seal(self, plain: str, place: str) -> str:
        """Encrypt `plain` for one place, such as `installation/mage_api_key/value`."""
        name, key = self.keys[0]
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(key).encrypt(nonce, plain.encode(), place.encode())
        return ":".join(("v1", name, _b64(nonce), _b64(sealed)))

    def open(self, sealed: str, place: str) -> str:
        """Decrypt; SecretError where the key is unknown or the place is another."""
        version, name, nonce, text = [*sealed.split(":"), "", "", ""][:4]
        key = dict(self.keys).get(name)
        if version != "v1" or key is None:
            raise SecretError(f"No key {name!r} in ISTHMUS_SECRET_KEYS opens this value.")
        try:
            return (
                AESGCM(key)
                .decrypt(base64.b64decode(nonce), base64.b64decode(text), place.encode())
                .decode()
            )
        except (InvalidTag, ValueError) as error:
            raise SecretError("A stored secret does not open in this place.") from error

    def derive(self, purpose: str) -> bytes:
        """A 256-bit key for another purpose, such as signing tokens."""
        return hmac.new(self.keys[-1][1], purpose.encode(), hashlib.sha256).digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
