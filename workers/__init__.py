"""The hands: what takes time."""
