"""Verbs of pipelines, blocks, triggers and pipeline runs."""
