"""`mage_ai.io.config`: settings from io_config.yaml or from the environment."""

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from workers.pipelines.calls import BlockCall
from workers.pipelines.sql import profiles
from workers.pipelines.sql.errors import SqlFault

_KEYS = {
    "AWS": ("ACCESS_KEY_ID", "ENDPOINT", "REGION", "SECRET_ACCESS_KEY", "SESSION_TOKEN"),
    "AZURE": ("CLIENT_ID", "CLIENT_SECRET", "STORAGE_ACCOUNT_NAME", "TENANT_ID"),
    "CLICKHOUSE": ("DATABASE", "HOST", "INTERFACE", "PASSWORD", "PORT", "USERNAME"),
    "DUCKDB": ("DATABASE", "SCHEMA"),
    "GOOGLE": ("LOCATION", "SERVICE_ACC_KEY", "SERVICE_ACC_KEY_FILEPATH"),
    "MONGODB": ("COLLECTION", "DATABASE", "HOST", "PASSWORD", "PORT", "USER"),
    "MSSQL": ("DATABASE", "DRIVER", "HOST", "PASSWORD", "PORT", "SCHEMA", "USER"),
    "MYSQL": ("CONNECTION_METHOD", "DATABASE", "HOST", "PASSWORD", "PORT", "USER"),
    "POSTGRES": (
        *("CONNECTION_METHOD", "CONNECT_TIMEOUT", "DBNAME", "HOST", "PASSWORD", "PORT"),
        *("SCHEMA", "USER"),
    ),
    "REDSHIFT": ("DBNAME", "HOST", "PORT", "SCHEMA", "TEMP_CRED_PASSWORD", "TEMP_CRED_USER"),
    "SNOWFLAKE": (
        *("ACCOUNT", "DEFAULT_DB", "DEFAULT_SCHEMA", "DEFAULT_WH", "PASSWORD", "ROLE", "USER"),
    ),
}


def _members(groups: dict[str, Iterable[str]]) -> dict[str, str]:
    names = [f"{group}_{name}" for group, keys in groups.items() for name in keys]
    return {name: name for name in names}


# The names of settings; any other text works as well.
ConfigKey = Enum("ConfigKey", _members({**_KEYS}), type=str)  # type: ignore[misc]


class Settings:
    """Settings by name, as `settings['POSTGRES_HOST']` or by ConfigKey."""

    def get(self, key: str, default: Any = None) -> Any:
        """A setting, or the default."""
        return self._all().get(_name(key), default)

    def contains(self, key: str) -> bool:
        """Whether there is such a setting."""
        return _name(key) in self._all()

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def __contains__(self, key: str) -> bool:
        return self.contains(key)

    def _all(self) -> dict[str, Any]:
        raise NotImplementedError


class EnvironmentVariableLoader(Settings):
    """Settings from the block's environment."""

    def _all(self) -> dict[str, Any]:
        return dict(os.environ)


class ConfigFileLoader(Settings):
    """One profile of io_config.yaml; empty, which means the built-in database, without a file."""

    call: BlockCall

    def __init__(
        self, filepath: str | os.PathLike[str] | None = None, profile: str = "default", **_: Any
    ) -> None:
        path = Path(filepath) if filepath else self.call.work_dir / profiles.FILE_NAME
        self.config: dict[str, Any] = {}
        if path.exists():
            self.use(profile, path)
        elif path.name != profiles.FILE_NAME:
            raise FileNotFoundError(f"There is no file {path.name}.")

    def use(self, profile: str, path: Path) -> None:
        """Read a profile."""
        try:
            self.config = profiles.read_profile(path, profile, self.call.secrets, os.environ)
        except SqlFault as error:
            raise ValueError(str(error)) from None

    def _all(self) -> dict[str, Any]:
        return self.config


def _name(key: str) -> str:
    return str(key.value) if isinstance(key, Enum) else str(key)


def bound(call: BlockCall) -> dict[str, Any]:
    """What the module holds for one call."""
    loader: type[ConfigFileLoader] = type("ConfigFileLoader", (ConfigFileLoader,), {"call": call})

    class IOConfig:
        """The older way: `IOConfig(path).use(profile)`."""

        def __init__(self, filepath: str | os.PathLike[str] | None = None) -> None:
            self._filepath = filepath

        def use(self, profile: str) -> Settings:
            """The settings of a profile."""
            return loader(self._filepath, profile)

    return {
        "ConfigFileLoader": loader,
        "ConfigKey": ConfigKey,
        "EnvironmentVariableLoader": EnvironmentVariableLoader,
        "IOConfig": IOConfig,
    }
