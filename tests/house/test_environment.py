"""Only app/settings.py reads the environment."""

import ast
from pathlib import Path

from tests.house.places import ROOT, sources

ALLOWED = {
    "app/settings.py": "reads the settings, and the variables that blocks may see",
    "app/cli/main.py": "hands the whole environment to the processes that `dev` starts",
    "workers/connectors/door.py": "leads its own process's requests through the checked door",
    "workers/mage_shim/config.py": "lets a block's code read its own, as EnvironmentVariableLoader",
    "workers/pipelines/block_host.py": "replaces the environment of a block's own process",
}
NAMES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def _touches_environment(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in NAMES:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                return True
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and NAMES & {alias.name for alias in node.names}
        ):
            return True
    return False


def test_nothing_else_touches_the_environment() -> None:
    found = {p.relative_to(ROOT).as_posix() for p in sources() if _touches_environment(p)}
    assert found == set(ALLOWED)
