"""The bodies of answers: to a load, to a request for SQL, to a dry run."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from app.semantic.compile import dates
from app.semantic.compile.asked import Asked, Json
from app.semantic.compile.blend import extra_keys, pivot
from app.semantic.compile.query import Compiled
from app.semantic.compile.rows import Row, shape_rows
from app.semantic.compile.transformed import transformed
from app.semantic.model.nouns import Model, RefreshKey


def result(
    asked: Asked,
    compiled: Compiled,
    rows: Iterable[Row],
    *,
    total: int | None = None,
    refreshed_at: datetime,
    db_type: str = "postgres",
    slow: bool = False,
) -> Json:
    """What one query found. `total` is what its `total_sql` counted."""
    return {
        "query": compiled.query,
        "data": shape_rows(compiled, rows, extra_keys(asked, compiled.normal)),
        "lastRefreshTime": f"{dates.text(refreshed_at)}Z",
        "annotation": compiled.annotation,
        "dataSource": compiled.data_source,
        "dbType": db_type,
        "external": False,
        "slowQuery": slow,
        "total": total,
    }


def load_answer(asked: Asked, results: Sequence[Json], *, multi: bool) -> Json:
    """The body of a load: the one result, or all of them for a client that takes several."""
    if not multi:
        return results[0]
    return {
        "queryType": asked.type,
        "results": list(results),
        "pivotQuery": pivot(asked, [one["query"] for one in results]),
        "slowQuery": any(one["slowQuery"] for one in results),
    }


def sql_answer(model: Model, asked: Asked, compiled: Sequence[Compiled]) -> Any:
    """The body of a request for SQL: an object, or a list where several queries are asked."""
    found = [{"sql": _sql(model, one)} for one in compiled]
    return found[0] if asked.type == "regularQuery" else found


def _sql(model: Model, one: Compiled) -> Json:
    buckets = [column for column in one.columns if len(column.keys) > 1]
    told: Json = {
        "external": False,
        "sql": [one.sql, one.values],
        "lambdaQueries": {},
        "order": {name: "desc" if desc else "asc" for name, desc in one.order},
        "cacheKeyQueries": [_cache_key(key) for key in one.refresh_keys],
        "preAggregations": [],
        "dataSource": one.data_source,
        "aliasNameToMember": {column.alias: column.member for column in one.columns},
        "canUseTransformedQuery": transformed(model, one.normal),
        "memberNames": list(dict.fromkeys(column.member for column in one.columns)),
    }
    if buckets:
        told["timeDimensionAlias"] = buckets[0].alias
        told["timeDimensionField"] = buckets[0].member
    return told


def _cache_key(key: RefreshKey) -> list[Any]:
    if key.sql is not None:
        return [key.sql, [], {"external": False, "renewalThreshold": key.every or 60}]
    every = key.every or 10
    sql = f"SELECT FLOOR((EXTRACT(EPOCH FROM NOW())) / {every}) as refresh_key"
    return [sql, [], {"external": False, "renewalThreshold": min(every, 300)}]


def dry_run_answer(model: Model, asked: Asked, compiled: Sequence[Compiled]) -> Json:
    """The body of a dry run: the queries in their normal form, and what would be asked."""
    queries = [one.query for one in compiled]
    if asked.type == "regularQuery":
        queries = [{**one, "queryType": asked.type} for one in queries]
    return {
        "queryType": asked.type,
        "normalizedQueries": queries,
        "queryOrder": [
            {name: "desc" if desc else "asc" for name, desc in one.order} for one in compiled
        ],
        "transformedQueries": [transformed(model, one.normal) for one in compiled],
        "pivotQuery": pivot(asked, queries),
    }
