"""io_config.yaml: rendered with environment and secrets, read as YAML, one profile of it."""

import logging
import secrets as random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import TemplateError
from jinja2.sandbox import SandboxedEnvironment

from workers.pipelines.sql.errors import SqlFault

FILE_NAME = "io_config.yaml"
_log = logging.getLogger("io_config")


def read_profile(
    path: Path, name: str, secrets: Mapping[str, str], env: Mapping[str, str]
) -> dict[str, Any]:
    """The settings of one profile; SqlFault, without any value of the file, if there are none."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SqlFault(f"{path.name} cannot be read: {type(error).__name__}.") from None
    profiles = _parsed(text, secrets, env, path.name)
    profile = profiles.get(name)
    if not isinstance(profile, dict):
        known = sorted(str(key) for key, value in profiles.items() if isinstance(value, dict))
        raise SqlFault(f"{path.name} has no profile {name}. It has: {', '.join(known) or 'none'}.")
    return {str(key): value for key, value in profile.items()}


def _parsed(
    text: str, secrets: Mapping[str, str], env: Mapping[str, str], file_name: str
) -> dict[Any, Any]:
    # Secrets take their places after the file is parsed: no sign in them can change its meaning.
    places: dict[str, str] = {}

    def secret(name: str, *_: Any) -> str:
        if name not in secrets:
            _log.warning(
                "%s asks for secret %s, which this project does not have.", file_name, name
            )
            return ""
        place = f"secret_{random.token_hex(8)}"
        places[place] = secrets[name]
        return place

    environment = SandboxedEnvironment()
    environment.globals.update(
        env_var=lambda name, default="": env.get(name, default), mage_secret_var=secret
    )
    try:
        read = yaml.safe_load(environment.from_string(text).render())
    except TemplateError as error:
        number = getattr(error, "lineno", None)
        line = f", line {number}" if number else ""
        raise SqlFault(f"{file_name}{line}: the template is wrong: {error.message}") from None
    except yaml.YAMLError as error:
        # The error's text would show the line, and that may hold a password.
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise SqlFault(f"{file_name} is not valid YAML{line}.") from None
    return _with_secrets(read, places) if isinstance(read, dict) else {}


def _with_secrets(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_secrets(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_secrets(item, places) for item in value]
    if isinstance(value, str):
        for place, secret in places.items():
            value = value.replace(place, secret)
    return value
