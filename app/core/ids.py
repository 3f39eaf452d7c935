"""Names, tokens and global ids."""

import base64
import hashlib
import re
import secrets


def new_token() -> str:
    """An opaque credential of 256 random bits: 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def new_trigger_token() -> str:
    """The capability in a trigger's URL: 32 hexadecimal characters."""
    return secrets.token_hex(16)


def token_hash(token: str) -> str:
    """What is stored of a credential: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def slug(name: str) -> str:
    """The uuid that a name becomes (`arwen-starlight` -> `arwen_starlight`).

    Quotes, dollar signs, line breaks and tabs are dropped, every other character that is not a
    letter, digit or underscore becomes `_`, and a leading digit gets `letter_` in front. What
    leaves nothing becomes `_`.
    """
    text = re.sub(r'["$\n\r\t]', "", name)
    text = re.sub(r"[^\w]", "_", text).lower() or "_"
    return f"letter_{text}" if text[:1].isdigit() else text


def global_id(type_name: str, key: object) -> str:
    """The opaque Relay id of a row."""
    return base64.b64encode(f"{type_name}:{key}".encode()).decode()


def parse_global_id(value: str) -> tuple[str, str] | None:
    """(type name, key) of a Relay id, or None for anything that `global_id` does not make."""
    try:
        type_name, colon, key = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    made_by_us = colon and type_name and key and global_id(type_name, key) == value
    return (type_name, key) if made_by_us else None


def row_number(key: str) -> int | None:
    """The numeric row key that a global id holds; None for what no bigint key can be."""
    # Not isdigit(): it is true of superscripts, which int() refuses.
    return int(key) if key.isascii() and key.isdecimal() and len(key) <= 18 else None
