"""Verbs of syncs."""
