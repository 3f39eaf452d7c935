"""Which tables lead to which others by joins, and by which joins."""

from collections.abc import Mapping

from app.semantic.model.nouns import Join, Table

Paths = Mapping[str, Mapping[str, tuple[Join, ...]]]


def paths(tables: Mapping[str, Table]) -> Paths:
    """The shortest way from each table to each that it reaches; to itself it is empty."""
    return {name: _from(tables, name) for name in tables}


def _from(tables: Mapping[str, Table], start: str) -> dict[str, tuple[Join, ...]]:
    found: dict[str, tuple[Join, ...]] = {start: ()}
    ahead = [start]
    for name in ahead:
        for join in tables[name].joins.values():
            if join.target in tables and join.target not in found:
                found[join.target] = (*found[name], join)
                ahead.append(join.target)
    return found


def components(tables: Mapping[str, Table]) -> dict[str, int]:
    """A number for each table that joins connect with another, the same for all in reach."""
    near: dict[str, set[str]] = {}
    for table in tables.values():
        for target in table.joins:
            near.setdefault(table.name, set()).add(target)
            near.setdefault(target, set()).add(table.name)
    numbers: dict[str, int] = {}
    for name in tables:
        if name in near and name not in numbers:
            number, ahead = max(numbers.values(), default=0) + 1, [name]
            for one in ahead:
                if one not in numbers:
                    numbers[one] = number
                    ahead += near[one]
    return numbers
