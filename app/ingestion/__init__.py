"""Syncs: connectors, sources, destinations, jobs, and the tasks that move their data."""
