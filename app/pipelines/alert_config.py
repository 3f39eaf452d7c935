"""A `notification_config` with the variables that Mage's files name in it."""

import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"""\{\{\s*env_var\(\s*(['"])(\w+)\1\s*\)\s*\}\}""")
_ADDRESSES = ("webhook_url", "url", "smtp_host")


def filled(config: Any, environ: Mapping[str, str]) -> Any:
    """The same with each `{{ env_var('NAME') }}` replaced; by nothing where it is not there."""
    if isinstance(config, Mapping):
        return {name: filled(value, environ) for name, value in config.items()}
    if isinstance(config, str):
        return _VARIABLE.sub(lambda match: environ.get(match[2], ""), config)
    return config


def leads_somewhere(config: Any, environ: Mapping[str, str]) -> bool:
    """Whether a channel's config is more than variables that are not there, as in a fresh project."""
    if not isinstance(config, Mapping):
        return bool(config)
    written = [config[name] for name in _ADDRESSES if config.get(name)]
    return bool(config) and (not written or any(filled(text, environ) for text in written))
