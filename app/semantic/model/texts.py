"""From a model's files to plain values that know their lines: Jinja first, then YAML."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from app.semantic.model.nouns import ModelError, Place
from app.semantic.model.templates import fill_in

MAX_VALUES = 100_000
"""Of all files together, those that aliases repeat included."""
MAX_DEPTH = 50
MAX_FILE = 512 * 1024
LOADERS: tuple[Any, ...] = (getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader)
"""libyaml's is ten times as fast. The other one reads a little more, and says better what is wrong."""
_TEMPLATE = re.compile(r"\{\{|\{%")
# What nearly all templates are; it needs no process.
_PLAIN = re.compile(r"""\{\{\s*load_sql\(\s*["']([\w-]+)["']\s*\)\s*\}\}""")
_LOAD_SQL = re.compile(r"""\s*load_sql\(\s*["']?([\w-]+)["']?\s*\)\s*""")


class Faults:
    """What is wrong in a model's files, as it is found."""

    def __init__(self) -> None:
        self.found: list[ModelError] = []

    def add(self, place: Place, path: str, message: str) -> None:
        """One fault more."""
        self.found.append(ModelError(place.file, place.line, path, message))


class Said(dict[str, Any]):
    """A mapping of a file with the places of its keys."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}

    def at(self, key: str) -> Place:
        """Where a key is; the mapping's own place for one that is not there."""
        return self.places.get(key, self.place)


class TooMuch(Exception):
    """A file that grows beyond all measure when its templates or aliases are followed."""


def read(files: Mapping[str, str], faults: Faults) -> list[Said]:
    """The top mapping of each YAML file, in the order of their paths."""
    sqls = {PurePosixPath(path).stem: text for path, text in files.items() if path.endswith(".sql")}
    found = []
    left = Left(MAX_VALUES)
    for path, text in _rendered(files, faults).items():
        top = _read_one(path, text, sqls, left, faults)
        if top is not None:
            found.append(top)
    return found


def _read_one(
    path: str, text: str, sqls: Mapping[str, str], left: "Left", faults: Faults
) -> Said | None:
    try:
        value = _Values(path, sqls, left).of(_composed(text, left))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        faults.add(Place(path, line), "", f"this is no YAML: {error.problem}")
    except (yaml.YAMLError, ValueError, TooMuch, RecursionError) as error:
        faults.add(Place(path, 1), "", f"this cannot be read: {error}")
    else:
        if isinstance(value, Said) or value is None:
            return value
        faults.add(
            Place(path, 1), "", "a file of a model begins with tables:, views: or user_groups:"
        )
    return None


def _composed(text: str, left: "Left") -> yaml.Node | None:
    if len(text) > MAX_FILE:
        raise TooMuch(f"it has more than {MAX_FILE} characters")
    first, other = LOADERS
    try:
        _weigh(text, left, first)
        return yaml.compose(text, Loader=first)
    except yaml.YAMLError:
        _weigh(text, left, other)
        return yaml.compose(text, Loader=other)


def _weigh(text: str, left: "Left", loader: Any) -> None:
    """TooMuch for a text that would be too long or too deep to compose, which cannot be stopped."""
    depth = values = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        values += 1
        # A mapping's keys are told as values are.
        if values > 2 * left.values + 10:
            raise left.none()
        depth += isinstance(event, yaml.CollectionStartEvent)
        if depth > MAX_DEPTH:
            raise TooMuch(f"it is nested more than {MAX_DEPTH} deep")


class Left:
    """How many values more a model may have."""

    def __init__(self, values: int) -> None:
        self.values = values

    def take(self) -> None:
        """One of them; TooMuch where there is none."""
        self.values -= 1
        if self.values < 0:
            raise self.none()

    def none(self) -> TooMuch:
        """The fault."""
        return TooMuch(f"with it the model has more than {MAX_VALUES} values")


def _rendered(files: Mapping[str, str], faults: Faults) -> dict[str, str]:
    """The texts of YAML files with their templates filled in, without those that cannot be."""
    texts = {
        path: _PLAIN.sub(r"load_sql(\1)", files[path])
        for path in sorted(files)
        if path.endswith((".yml", ".yaml"))
    }
    templates = {path: text for path, text in texts.items() if _TEMPLATE.search(text)}
    for path, found in (fill_in(templates) if templates else {}).items():
        if "text" in found:
            texts[path] = str(found["text"])
        else:
            faults.add(Place(path, int(str(found["line"]))), "", str(found["error"]))
            del texts[path]
    return texts


class _Values:
    """Values of one file's nodes."""

    def __init__(self, path: str, sqls: Mapping[str, str], left: Left) -> None:
        self._path = path
        self._sqls = sqls
        self._left = left
        self._scalars = yaml.SafeLoader("")

    def of(self, node: yaml.Node | None) -> Any:
        """The value of a node; a mapping is `Said`."""
        self._left.take()
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.of(one) for one in node.value]
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode) -> Said:
        said = Said(self._place(node))
        for key, value in node.value:
            name = str(key.value)
            if name in said:
                raise yaml.MarkedYAMLError(problem=f"{name} twice", problem_mark=key.start_mark)
            said[name] = self.of(value)
            said.places[name] = self._place(key)
        return said

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        value = self._scalars.construct_object(node)
        if not isinstance(value, str | int | float | bool | None):
            value = node.value
        found = _LOAD_SQL.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        if found[1] not in self._sqls:
            raise yaml.MarkedYAMLError(
                problem=f"there is no sqls/{found[1]}.sql", problem_mark=node.start_mark
            )
        return self._sqls[found[1]].strip().removesuffix(";")

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1)
