"""The server: what is true and who may do what."""

__version__ = "0.1.0"
