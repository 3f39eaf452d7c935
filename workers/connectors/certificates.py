"""Certificates and keys of a connection, which settings hold as texts and drivers want as files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workers.connectors.base import Session, SyncError


def pem_files(session: Session, alias: str, ssl: Any, names: Iterable[str]) -> dict[str, Path]:
    """The settings of `ssl` that are given, as files that only we may read; SyncError for no PEM."""
    files = {}
    for name in names:
        text = str((ssl or {}).get(name) or "")
        if text and not text.lstrip().startswith("-----BEGIN"):
            raise SyncError(f"The setting ssl.{name} must be a PEM text.")
        if text:
            path = session.scratch / f"{alias}_{name}.pem"
            path.touch(mode=0o600)
            path.write_text(text)
            files[name] = path
    return files
