"""What the launcher says when it cannot go on."""


class EmbeddedError(Exception):
    """An embedded server cannot run here; the text names the cause and the remedy."""
