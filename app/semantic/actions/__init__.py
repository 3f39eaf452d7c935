"""Verbs of models, and of the queries that workers run."""
