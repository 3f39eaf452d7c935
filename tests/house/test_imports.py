"""Who imports whom: the contracts of pyproject.toml, and what they cannot say."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.places import ROOT, sources


def test_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_composition_root_is_let_out_of_the_server() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    first = next(c for c in linter["contracts"] if c["source_modules"] == ["app"])
    assert set(first["forbidden_modules"]) == {"workers", "rest_compat"}
    assert first["ignore_imports"] == ["app.server -> rest_compat.**"]


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_dialects_import_neither_each_other_nor_the_kernel() -> None:
    root = ROOT / "rest_compat"
    dialects = {folder.name for folder in root.iterdir() if (folder / "routes.py").exists()}
    assert "mage" in dialects
    for dialect in dialects:
        others = {f"rest_compat.{name}" for name in (dialects - {dialect}) | {"kernel"}}
        for path in sources(f"rest_compat/{dialect}"):
            found = {".".join(name.split(".")[:2]) for name in _imported(path)}
            assert not found & others, path


def test_dialects_hold_no_database_and_no_queue() -> None:
    outside = {"sqlalchemy", "sqlmodel", "asyncpg", "redis", "arq"}
    for path in sources("rest_compat"):
        assert not {name.split(".")[0] for name in _imported(path)} & outside, path


def test_the_server_never_loads_what_runs_blocks() -> None:
    for path in sources("app"):
        assert not {name.split(".")[0] for name in _imported(path)} & {"pandas", "pyarrow"}, path


def test_packages_use_no_relative_imports() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
