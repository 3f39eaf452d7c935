"""Runs pipelines: each block of user code in its own process, values handed over as files."""
