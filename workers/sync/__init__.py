"""Sync jobs: the engine that moves rows, in a child process of its own, and the run kinds."""
