"""The error of a query that cannot be answered."""


class QueryError(Exception):
    """What is wrong with a query, in words for the one who asked. `type` is what clients are told."""

    def __init__(self, message: str, type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.type = type


def user_error(message: str) -> QueryError:
    """A fault in what a query says of the model."""
    return QueryError(message, "UserError")
