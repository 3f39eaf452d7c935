"""The decorators that users' code expects to find as globals, and what they collect."""

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]

NAMES = (
    "data_loader",
    "transformer",
    "data_exporter",
    "custom",
    "test",
    "sensor",
    "condition",
    "callback",
    "on_success",
    "on_failure",
)


class Decorated:
    """Collects the functions of one block by the name of their decorator, in source order."""

    def __init__(self) -> None:
        self._functions: dict[str, list[Function]] = {name: [] for name in NAMES}
        self.decorators: dict[str, Function] = {name: self._decorator(name) for name in NAMES}

    def functions(self, name: str) -> list[Function]:
        """What was decorated with `@name`."""
        return self._functions[name]

    def _decorator(self, name: str) -> Function:
        def collect(function: Function) -> Function:
            self._functions[name].append(function)
            return function

        # Both `@callback` and `@callback('success')` are in use.
        def decorate(*args: Any, **options: Any) -> Function:
            return collect(args[0]) if args and callable(args[0]) else collect

        decorate.__name__ = name
        return decorate
