"""Mage's documented REST API over the graph."""
