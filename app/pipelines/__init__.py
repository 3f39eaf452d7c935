"""Pipelines of blocks, and the triggers that start them."""
