"""The text of an SQL block: a Jinja template over variables, upstream blocks, secrets."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from workers.pipelines.sql.errors import SqlFault

_FRAME = re.compile(r"df_([1-9][0-9]*)")


def render(
    text: str,
    variables: Mapping[str, Any],
    secrets: Mapping[str, str],
    env: Mapping[str, str],
    upstream_table: Callable[[int], str],
    upstream_value: Callable[[str | None], Any],
) -> str:
    """The SQL of a template; SqlFault for what is not defined.

    `df_1` is `upstream_table(0)`: called only for those that the text uses. `block_output(uuid)`
    is `upstream_value(uuid)`.
    """
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.globals.update(
        env_var=lambda name, default=None: _env_var(env, name, default),
        mage_secret_var=lambda name, *_: _secret(secrets, name),
        variables=lambda name, default=None: _variable(variables, name, default),
        block_output=lambda uuid=None: upstream_value(uuid),
    )
    try:
        template = environment.from_string(text)
        return template.render(_Names(variables, upstream_table, text))
    except TemplateSyntaxError as error:
        raise SqlFault(f"The template is wrong in line {error.lineno}: {error.message}") from None
    except TemplateError as error:
        raise SqlFault(f"The template cannot be filled in: {error.message}") from None
    except SqlFault:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise SqlFault(f"The template cannot be filled in: {told}") from None


class _Names(dict[str, Any]):
    """The variables, and `df_<n>` for the upstream blocks whose table the text names."""

    def __init__(
        self, variables: Mapping[str, Any], upstream_table: Callable[[int], str], text: str
    ) -> None:
        super().__init__(variables)
        for number in {int(match) for match in _FRAME.findall(text)}:
            self[f"df_{number}"] = _Reference(upstream_table, number)


class _Reference:
    """Writes the name of an upstream block's table; makes the table when it is first asked."""

    def __init__(self, upstream_table: Callable[[int], str], number: int) -> None:
        self._upstream_table = upstream_table
        self._number = number

    def __str__(self) -> str:
        return self._upstream_table(self._number - 1)


def _env_var(env: Mapping[str, str], name: str, default: Any) -> Any:
    if name not in env and default is None:
        raise SqlFault(f"The environment of blocks has no variable {name}.")
    return env.get(name, default)


def _secret(secrets: Mapping[str, str], name: str) -> str:
    if name not in secrets:
        raise SqlFault(f"This project has no secret {name}.")
    return secrets[name]


def _variable(variables: Mapping[str, Any], name: str, default: Any) -> Any:
    if name not in variables and default is None:
        raise SqlFault(f"This run has no variable {name}.")
    return variables.get(name, default)
