"""Dimensions that count a measure for each row of their table, by a select of its own."""

from collections.abc import Iterable

from sqlglot import exp

from app.semantic.compile import conditions
from app.semantic.compile.parts import Conditions, Frame, Shown, key_name
from app.semantic.compile.plan import Ask, planned
from app.semantic.compile.policies import with_policies
from app.semantic.compile.scope import Scope
from app.semantic.compile.selection import Selection
from app.semantic.model.links import counted
from app.semantic.model.nouns import Dimension, Member


def sub_queries(
    scope: Scope, group: str | None, members: Iterable[Member], chosen: Selection | None = None
) -> dict[Dimension, exp.Query]:
    """The selects of all such dimensions that members use, each once.

    `chosen` is the query whose filters they may share.
    """
    found = dict.fromkeys(
        one for member in members for one in scope.model.uses[member.path].sub_queries
    )
    return {
        one: _select(scope, group, one, conditions.shared(scope, chosen, one) if chosen else [])
        for one in found
    }


def _select(scope: Scope, group: str | None, dimension: Dimension, where: Conditions) -> exp.Query:
    """The measure that a dimension counts, by the primary key of its table."""
    model = scope.model
    leaves = model.leaves[dimension.path]
    routes = [(dimension.table,)]
    routes += [(table,) for leaf in leaves for table in model.uses[leaf.path].tables]
    tree, added = with_policies(model, routes, group, root=dimension.table)
    shown = tuple(
        Shown(key_name(number), scope.unmasked(key))
        for number, key in enumerate(model.tables[dimension.table].keys)
    )
    inner = sub_queries(scope, group, (*leaves, *added))
    grounds: tuple[Member, ...] = (*model.tables[dimension.table].keys, *added)
    frame = Frame(scope, tree, inner, shown, grounds)
    where = [*where, *conditions.of_segments(scope, added)]
    return planned(frame, Ask({"value": counted(dimension)}, conditions=where))
