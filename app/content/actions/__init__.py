"""Verbs of leads, groups, organisations and attachments."""
