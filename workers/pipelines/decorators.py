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
        self._functions: dict[str, list[tuple[Function, tuple[Any, ...]]]] = {n: [] for n in NAMES}
        self.decorators: dict[str, Function] = {name: self._decorator(name) for name in NAMES}

    def functions(self, name: str) -> list[Function]:
        """What was decorated with `@name`."""
        return [function for function, _ in self._functions[name]]

    def callbacks(self, event: str) -> list[Function]:
        """What is to be called for `success`, `failure` or `cancelled`; a bare @callback: success."""
        named = [
            f for f, given in self._functions["callback"] if (given or ("success",))[0] == event
        ]
        return named + (self.functions(f"on_{event}") if f"on_{event}" in NAMES else [])

    def _decorator(self, name: str) -> Function:
        # Both `@callback` and `@callback('success')` are in use.
        def decorate(*args: Any, **options: Any) -> Function:
            def collect(function: Function) -> Function:
                self._functions[name].append((function, given))
                return function

            bare = bool(args) and callable(args[0])
            given: tuple[Any, ...] = () if bare else (*args, *options.values())
            return collect(args[0]) if bare else collect

        decorate.__name__ = name
        return decorate
