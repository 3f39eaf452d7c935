"""Connectors: how rows are read from sources and written to destinations."""
