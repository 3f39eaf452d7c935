"""Which `mage_ai` modules a block can import, and what it is told of others.

The modules are made in the block's process: they hold our objects under Mage's names. They go
before an installed `mage_ai`, whose code knows nothing of this server.
"""

import importlib.abc
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from workers.mage_shim import config, databases, files, policies
from workers.mage_shim.project import Project
from workers.pipelines.calls import BlockCall

_ROOT = "mage_ai"


def install(call: BlockCall, decorators: Mapping[str, Callable[..., Any]]) -> None:
    """Make the offered modules importable in this process."""
    offered = _offered(Project(call), decorators)
    names = set(offered) | {name.rpartition(".")[0] for name in offered}
    while more := {name.rpartition(".")[0] for name in names} - names - {""}:
        names |= more
    for name in sorted(names):
        _make(name, offered.get(name, {}), offered)
    sys.meta_path.insert(0, _Refusal(offered))


def _offered(
    project: Project, decorators: Mapping[str, Callable[..., Any]]
) -> dict[str, Mapping[str, Any]]:
    """What each module holds."""
    loaders = config.bound(project.call)
    return {
        "mage_ai.data_preparation.decorators": decorators,
        "mage_ai.data_preparation.repo_manager": {"get_repo_path": project.get_repo_path},
        "mage_ai.data_preparation.shared.secrets": {"get_secret_value": project.get_secret_value},
        "mage_ai.data_preparation.variable_manager": {
            "get_variable": project.get_variable,
            "get_global_variable": project.get_global_variable,
        },
        "mage_ai.io.base": vars(policies.Names),
        "mage_ai.io.config": loaders,
        "mage_ai.io.io_config": {"IOConfig": loaders["IOConfig"]},
        "mage_ai.io.duckdb": {"DuckDB": databases.bound(databases.DuckDB, project.call)},
        "mage_ai.io.file": {"FileIO": files.FileIO},
        "mage_ai.io.postgres": {"Postgres": databases.bound(databases.Postgres, project.call)},
        "mage_ai.settings.repo": {"get_repo_path": project.get_repo_path},
    }


def _make(name: str, content: Mapping[str, Any], offered: Mapping[str, Any]) -> None:
    module = ModuleType(name)
    package = any(other.startswith(f"{name}.") for other in offered)
    module.__spec__ = ModuleSpec(name, None, is_package=package)
    if package:
        module.__path__ = []
    public = {key: value for key, value in content.items() if not key.startswith("_")}
    vars(module).update(public)

    def missing(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise ImportError(_explained(f"{name}.{attribute}", offered, sorted(public)))

    vars(module)["__getattr__"] = missing
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        vars(sys.modules[parent])[last] = module


class _Refusal(importlib.abc.MetaPathFinder):
    """Fails imports of other `mage_ai` modules with a message that names those there are."""

    def __init__(self, offered: Mapping[str, Any]) -> None:
        self._offered = offered

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Nothing is found here: what is offered has been imported already."""
        if name.partition(".")[0] == _ROOT:
            raise ModuleNotFoundError(_explained(name, self._offered, []))
        return None


def _explained(name: str, offered: Mapping[str, Any], siblings: list[str]) -> str:
    if siblings:
        module = name.rpartition(".")[0]
        return f"{name} is not offered here. {module} has: {', '.join(siblings)}."
    return f"{name} is not offered here. There are: {', '.join(sorted(offered))}."
