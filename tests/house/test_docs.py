"""What the pages say is what there is: settings, commands, make targets, links."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from graphql import parse, validate
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from app import settings
from app.cli.main import app as cli
from app.graphql.schema import build_schema
from tests.house.places import ROOT, documents, texts

AREAS = [
    value
    for value in vars(settings).values()
    if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings
]


def _variables(area: type[BaseSettings]) -> Iterator[str]:
    prefix = area.model_config.get("env_prefix", "")
    for name, field in area.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            yield from (str(choice) for choice in field.validation_alias.choices)
        else:
            yield f"{prefix}{name}".upper()


def test_settings_page_lists_every_setting_and_no_other() -> None:
    page = documents()["docs/settings.md"]
    listed = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", page, flags=re.MULTILINE)
    there = [variable for area in AREAS for variable in _variables(area)]
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.__name__)
def test_settings_page_says_each_default(
    area: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = re.findall(
        r"^\| `([A-Z][A-Z0-9_]+)` \| ([^|]*) \|", documents()["docs/settings.md"], re.MULTILINE
    )
    said = dict(rows)
    for variable, field in zip(_variables(area), area.model_fields.values(), strict=True):
        default = field.default
        shown = said[variable].strip()
        if default in ("", None, ()):
            assert not shown.startswith("`"), f"{variable} has no default"
            continue
        text = ",".join(default) if isinstance(default, tuple) else str(default)
        assert shown.strip("`") == (text.lower() if isinstance(default, bool) else text), variable


def _commands(command: Any, path: str) -> Iterator[str]:
    groups = getattr(command, "commands", None)
    if groups is None:
        yield path
    for name, inner in (groups or {}).items():
        yield from _commands(inner, f"{path} {name}")


def test_every_command_is_in_the_pages_and_every_command_in_them_exists() -> None:
    pages = "\n".join(documents().values())
    there = set(_commands(typer.main.get_command(cli), "isthmus"))
    missing = {command for command in there if command not in pages}
    assert not missing
    first_words = {command.split()[1] for command in there}
    named = set(re.findall(r"(?:`|^\s*|bin/)isthmus ([a-z]+)", pages, flags=re.MULTILINE))
    assert named <= first_words


def test_every_make_command_in_the_pages_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))
    said = "\n".join(documents().values()) + (ROOT / ".ci" / "run").read_text()
    named = set(re.findall(r"(?:`|^\s*)make ([a-z][a-z-]*)", said, flags=re.MULTILINE))
    assert named
    assert named <= targets


def test_graphql_in_the_pages_is_valid() -> None:
    schema = build_schema()
    found = 0
    for name, page in documents().items():
        for text in re.findall(r"```graphql\n(.*?)```", page, flags=re.DOTALL):
            errors = validate(schema._schema, parse(text))
            assert not errors, f"{name}: {errors}"
            found += 1
    assert found


def test_links_between_the_pages_lead_somewhere() -> None:
    for name, page in documents().items():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page):
            if re.match(r"[a-z]+:", target):
                continue
            found = ((ROOT / name).parent / target).resolve()
            assert found.is_relative_to(ROOT), f"{name}: {target}"
            assert found.exists(), f"{name}: {target}"


def test_files_that_the_pages_name_are_there() -> None:
    """A path in backticks that begins with one of our folders."""
    for name, page in documents().items():
        for path in re.findall(
            r"`((?:app|rest_compat|workers|tests|deploy|docs|web|examples)/[\w./-]+)`", page
        ):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_no_file_names_a_folder_of_a_developers_machine() -> None:
    machine = re.compile(r"(?<![\w.$}<>*-])/(?:home|Users|root|work)/\w")
    for path, text in texts():
        found = machine.search(text)
        assert found is None, f"{path}: {found}"


def test_locks_name_no_registry_host() -> None:
    for lock in ROOT.glob("**/package-lock.json"):
        if "node_modules" not in lock.parts:
            assert '"resolved"' not in lock.read_text(), lock
    constraints = (ROOT / "constraints.txt").read_text()
    assert "://" not in constraints
