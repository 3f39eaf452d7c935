"""Whether an answer has the form of a recorded one, and its values where they do not vary."""

from collections.abc import Collection
from typing import Any

CUT = "__cut__"
FREE = ("metrics",)
"""Objects in which keys of ours may stand beside the recorded ones."""
OURS = {"waiting"}
"""Keys that may stand in an object of ours where null was recorded."""
PLACEHOLDERS = ("<default python template", "<repo_path>", "<data_dir>", "<jwt>", "<token>")


def kind(value: Any) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]


def differences(
    recorded: Any,
    answered: Any,
    varies: Collection[str] = (),
    *,
    nullable: Collection[str] = (),
    where: str = "$",
) -> list[str]:
    """Every place where the two differ: sets of keys, types, null or not, and settled values.

    Rows of a list are compared pairwise as far as the recording goes, which may have been cut.
    Keys in `varies` are compared by type only; keys in `nullable` may also be null on one side.
    """
    name = where.rsplit(".", 1)[-1].split("[")[0]
    if isinstance(recorded, dict) and isinstance(answered, dict):
        return _objects(recorded, answered, varies, nullable, where)
    if isinstance(recorded, list) and isinstance(answered, list) and name not in varies:
        return _lists(recorded, answered, varies, nullable, where)
    if name in FREE and recorded is None and isinstance(answered, dict) and {*answered} <= OURS:
        return []
    if kind(recorded) != kind(answered):
        if name in nullable and "null" in (kind(recorded), kind(answered)):
            return []
        return [f"{where}: {recorded!r:.80} was recorded, {answered!r:.80} was answered"]
    placeholder = isinstance(recorded, str) and recorded.startswith(PLACEHOLDERS)
    if recorded != answered and not placeholder and name not in varies:
        return [f"{where}: {recorded!r:.80} was recorded, {answered!r:.80} was answered"]
    return []


def _objects(
    recorded: dict[str, Any],
    answered: dict[str, Any],
    varies: Collection[str],
    nullable: Collection[str],
    where: str,
) -> list[str]:
    found = [f"{where}.{name}: missing" for name in recorded.keys() - answered.keys()]
    if not where.endswith(FREE):
        more = answered.keys() - recorded.keys()
        found += [f"{where}.{name}: not recorded" for name in more]
    for name in recorded.keys() & answered.keys():
        found += differences(
            recorded[name], answered[name], varies, nullable=nullable, where=f"{where}.{name}"
        )
    return sorted(found)


def _lists(
    recorded: list[Any],
    answered: list[Any],
    varies: Collection[str],
    nullable: Collection[str],
    where: str,
) -> list[str]:
    cut = any(isinstance(row, dict) and CUT in row for row in recorded)
    rows = [row for row in recorded if not (isinstance(row, dict) and CUT in row)]
    if len(answered) < len(rows) or (len(answered) > len(rows) and not cut):
        return [f"{where}: {len(rows)} rows were recorded, {len(answered)} were answered"]
    found = []
    for i, (row, other) in enumerate(zip(rows, answered, strict=False)):
        found += differences(row, other, varies, nullable=nullable, where=f"{where}[{i}]")
    return found
