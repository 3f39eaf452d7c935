"""Rigs of syncs, whose tables are asked here."""

from tests.workers.sync.conftest import rig

__all__ = ["rig"]
