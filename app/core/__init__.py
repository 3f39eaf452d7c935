"""Plumbing that knows no noun of any domain."""
