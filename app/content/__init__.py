"""Content: leads, their groups, sources and attachments."""
