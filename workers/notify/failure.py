"""Why a message could not be sent."""


class NotSent(Exception):
    """The text is for members to read: it names a host at most, never a whole address.

    With `again` the same may succeed later.
    """

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again
