"""Fields of the graph, each declared in one call: its relation or root field, and its resolver.

The resolvers are made from the declarations that the compiler reads, and batched by loaders.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any

import strawberry
from aiodataloader import DataLoader
from sqlalchemy import ARRAY, ColumnElement, and_, bindparam, func, literal, select, true

from app.graphql.compiler import declare
from app.graphql.compiler.counts import counting
from app.graphql.compiler.declare import (
    LONGEST_LIST,
    Listing,
    RelationField,
    RootField,
    RootList,
    RootOne,
    Scope,
    Scoped,
)
from app.graphql.connections import Connection, Page, checked_page, mark_of, sorts
from app.graphql.context import Context, Info
from app.graphql.filters import Sort, conditions
from app.graphql.rows import (
    fetch,
    fetch_list,
    fetch_one,
    fetch_page,
    fill,
    paged,
    reader,
    requested,
    with_sort_values,
)

Batch = Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]


def _loader(context: Context, key: Any, batch: Batch) -> DataLoader[Any, Any]:
    return context.loader(key, lambda: DataLoader(batch_load_fn=batch))


def many(
    target: str,
    local: Any,
    remote: Any,
    description: str,
    *,
    order: Sequence[Any],
    most: int = LONGEST_LIST,
) -> Any:
    """A list that is bounded by nature, in a fixed order; longer ones than `most` are read slower."""
    relation = RelationField(target, local, remote, tuple(order), most=most)
    return _relation(relation, description, empty=list)


def one(target: str, local: Any, description: str, remote: Any = None) -> Any:
    """The one row that this row points to, or null where it is gone or hidden."""
    relation = RelationField(target, local, remote, shape="one")
    return _relation(relation, description, empty=None)


def _relation(relation: RelationField, description: str, empty: Callable[[], Any] | None) -> Any:
    async def resolve(root: strawberry.Parent[Any], info: Info) -> Any:
        names = requested(info)
        context = info.context

        async def batch(keys: list[Any]) -> list[Any]:
            read = reader(relation.target)
            columns = [*read.columns(names), relation.far.label("_remote")]
            statement = read.sql.select(columns).where(relation.far.in_(keys))
            grouped: dict[Any, list[Any]] = {key: [] for key in keys}
            for row in await fetch(statement.order_by(*relation.order), context):
                grouped[row["_remote"]].append(read.build(row))
            if empty is None:
                return [next(iter(grouped[key]), None) for key in keys]
            return [grouped[key] for key in keys]

        key = getattr(root, f"_local_{relation.local.name}")
        if key is None:
            return None if empty is None else empty()
        found = await _loader(context, (relation, names), batch).load(key)
        context.hand_out(int(found is not None) if empty is None else len(found))
        return found

    return strawberry.field(
        resolver=resolve,
        description=description,
        metadata={declare.DECLARATION: relation},
    )


_ARGUMENTS: dict[str, tuple[Any, str]] = {
    "first": (
        int | None,
        "How many rows from the start, 1 to 100; 20 when neither is given.",
    ),
    "after": (str | None, "Rows behind this cursor."),
    "last": (int | None, "How many rows from the end, 1 to 100."),
    "before": (str | None, "Rows before this cursor."),
    "offset": (int | None, "Rows to pass over; for tables with page numbers."),
}


def _with_signature(
    resolve: Callable[..., Any],
    leading: Mapping[str, Any],
    arguments: Mapping[str, tuple[Any, str]],
    *,
    required: bool = False,
) -> Callable[..., Any]:
    """Give a generic resolver the signature that Strawberry reads arguments from."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    hints: dict[str, Any] = dict(leading)
    parameters = [inspect.Parameter(n, kind, annotation=a) for n, a in leading.items()]
    for name, (hint, text) in arguments.items():
        hints[name] = Annotated[hint, strawberry.argument(description=text)]
        absent = inspect.Parameter.empty if required else strawberry.UNSET
        parameters.append(inspect.Parameter(name, kind, annotation=hints[name], default=absent))
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    resolve.__annotations__ = hints
    return resolve


def root_connection(
    target: str,
    description: str,
    *,
    where: Any,
    columns: Mapping[str, Any],
    order: Any,
    default_order: Sequence[tuple[Any, bool]],
    scope: Scope | None = None,
    extra: Mapping[str, tuple[Any, str]] | None = None,
) -> Any:
    """A root field that pages through a type. `scope` turns the extra arguments into conditions."""
    listing = Listing(columns, order.sort_columns, tuple(default_order))

    async def resolve(info: Info, **arguments: Any) -> Any:
        info.context.subject.require_known()
        given = _plain(arguments)
        read = reader(target)
        clauses = _scoped(info, scope, given)
        if given["where"] is not None:
            clauses.append(conditions(given["where"], columns))
        page = _page_of(info, given)
        keys = _sorts_of(given, listing, read.sql.key)
        mark = _mark_of(target, given)
        return await fetch_page(info, read, page, keys, clauses, mark)

    arguments = {
        **(extra or {}),
        **_ARGUMENTS,
        "where": (where | None, "Which rows."),
        "order_by": (
            list[order] | None,
            "In which order; what it leaves open the primary key decides.",
        ),
    }
    return strawberry.field(
        resolver=_with_signature(resolve, {"info": Info}, arguments),
        description=description,
        metadata={declare.DECLARATION: RootField(target, listing, scope)},
    )


def connection(
    target: str,
    local: Any,
    remote: Any,
    description: str,
    *,
    where: Any,
    columns: Mapping[str, Any],
    order: Any,
    default_order: Sequence[tuple[Any, bool]],
) -> Any:
    """A nested list that pages through the rows of another type that point to this row."""
    listing = Listing(columns, order.sort_columns, tuple(default_order))
    relation = RelationField(target, local, remote, shape="connection", listing=listing)

    async def resolve(root: strawberry.Parent[Any], info: Info, **arguments: Any) -> Any:
        given = _plain(arguments)
        names = requested(info, "nodes") | requested(info, "edges", "node")
        own = requested(info)
        context = info.context
        page = _page_of(info, given)
        read = reader(target)
        keys = _sorts_of(given, listing, relation.key)
        mark = _mark_of(target, given)
        clauses = [] if given["where"] is None else [conditions(given["where"], columns)]

        async def pages(parents: list[Any]) -> list[Any]:
            inner = read.sql.select(with_sort_values(read.columns(names), keys)).where(*clauses)
            parent = _parents(parents, relation)
            lateral = (
                paged(inner.where(relation.far == parent.c.key), page, keys, mark)
                .correlate(parent)
                .lateral("page")
            )
            statement = select(parent.c.key.label("_parent"), lateral).select_from(
                parent.join(lateral, literal(True))
            )
            grouped: dict[Any, list[Any]] = {p: [] for p in parents}
            for row in await fetch(statement, context):
                grouped[row["_parent"]].append(row)
            return [grouped[p] for p in parents]

        async def counts(parents: list[Any]) -> list[Any]:
            counted = [relation.far.label("_parent"), func.count().label("n")]
            statement = counting(read.sql, counted, [relation.far.in_(parents), *clauses])
            statement = statement.group_by(relation.far)
            found = {row["_parent"]: row["n"] for row in await fetch(statement, context)}
            return [found.get(p, 0) for p in parents]

        key = getattr(root, f"_local_{relation.local.name}")
        made: Connection[Any] = Connection.__new__(Connection)
        base = (relation, names, repr(page), mark)
        if own & {"edges", "nodes", "pageInfo"}:
            rows = await _loader(context, (*base, "page"), pages).load(key)
            fill(made, read, rows, page, keys, mark)
            if own & {"edges", "nodes"}:
                context.hand_out(len(made.nodes))
        if "totalCount" in own:
            made.total_count = await _loader(context, (*base, "count"), counts).load(key)
        return made

    arguments = {
        **_ARGUMENTS,
        "where": (where | None, "Which rows."),
        "order_by": (
            list[order] | None,
            "In which order; what it leaves open the primary key decides.",
        ),
    }
    leading = {"root": strawberry.Parent[Any], "info": Info}  # type: ignore[misc]
    return strawberry.field(
        resolver=_with_signature(resolve, leading, arguments),
        description=description,
        metadata={declare.DECLARATION: relation},
    )


def _plain(arguments: Mapping[str, Any]) -> defaultdict[str, Any]:
    """The arguments that were given; any other reads as None."""
    return defaultdict(lambda: None, arguments)


def _parents(parents: list[Any], relation: RelationField) -> Any:
    values = bindparam("parents", parents, type_=ARRAY(relation.far.type))
    return select(func.unnest(values).label("key")).subquery("parent")


def _page_of(info: Info, given: Mapping[str, Any]) -> Page:
    return checked_page(
        given["first"],
        given["after"],
        given["last"],
        given["before"],
        given["offset"],
        info.context.max_page,
    )


def _sorts_of(given: Mapping[str, Any], listing: Listing, key: Sequence[Any]) -> list[Sort]:
    return sorts(given["order_by"], listing.sort_columns, listing.default_order, key)


def _mark_of(target: str, given: Mapping[str, Any]) -> str:
    return mark_of(target, {declare.camel(name): value for name, value in given.items()})


def _scoped(info: Info, scope: Scope | None, given: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """The conditions that a root field's arguments mean for this caller."""
    return [] if scope is None else [for_caller(info, scope(given))]


def for_caller(info: Info, scoped: Scoped) -> ColumnElement[bool]:
    """The condition, once the caller is known to have a project where it needs one."""
    if scoped.needs_project:
        info.context.subject.call_project()
    return and_(true(), *scoped.conditions)


def root_one(
    target: str,
    type_: Any,
    description: str,
    *,
    arguments: Mapping[str, tuple[Any, str]] | None = None,
    required: bool = True,
    named: Scope,
) -> Any:
    """A root field of the one row that its arguments name; null where it is missing or hidden."""

    async def resolve(info: Info, **given: Any) -> Any:
        info.context.subject.require_known()
        clauses = _scoped(info, named, _plain(given))
        return await fetch_one(info, target, and_(true(), *clauses))

    signed = _with_signature(resolve, {"info": Info}, arguments or {}, required=required)
    signed.__annotations__["return"] = type_ | None
    return strawberry.field(
        resolver=signed,
        description=description,
        metadata={declare.DECLARATION: RootOne(target, named)},
    )


def root_list(
    target: str,
    type_: Any,
    description: str,
    *,
    order: Sequence[Any],
    limit: int,
    where: Sequence[ColumnElement[bool]] = (),
) -> Any:
    """A root field of rows that the caller may read, of a type that has few."""

    async def resolve(info: Info) -> Any:
        info.context.subject.require_known()
        return await fetch_list(info, target, order, *where, limit=limit)

    resolve.__annotations__["return"] = list[type_]  # type: ignore[valid-type]
    declared = RootList(target, lambda _: Scoped(tuple(where)), tuple(order), limit)
    return strawberry.field(
        resolver=resolve, description=description, metadata={declare.DECLARATION: declared}
    )
