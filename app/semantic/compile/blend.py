"""Answers of requests that ask several queries at once: compared ranges, and blended ones."""

from app.semantic.compile.asked import Asked, Json, Normal


def extra_keys(asked: Asked, query: Normal) -> dict[str, str]:
    """The keys that each row of a query has besides its own, as `shape_rows` takes them."""
    if asked.type == "compareDateRangeQuery":
        first, last = query.time_dimensions[0].range or ("", "")
        return {"compareDateRange": f"{first} - {last}"}
    if asked.type == "blendingQuery":
        one = next(one for one in query.time_dimensions if one.granularity)
        return {f"time.{one.granularity}": f"{one.dimension}.{one.granularity}"}
    return {}


def pivot(asked: Asked, queries: list[Json]) -> Json:
    """The query that clients lay the rows out by. `queries` are the echoes of those asked."""
    if asked.type == "blendingQuery":
        granularity = next(
            one.granularity for one in asked.queries[0].time_dimensions if one.granularity
        )
        return {
            "measures": _union(queries, "measures"),
            "dimensions": _union(queries, "dimensions"),
            "timeDimensions": [{"dimension": "time", "granularity": granularity}],
            "queryType": asked.type,
        }
    first = {**queries[0], "queryType": asked.type}
    if asked.type == "compareDateRangeQuery":
        first["dimensions"] = ["compareDateRange", *first["dimensions"]]
    return first


def _union(queries: list[Json], key: str) -> list[str]:
    return list(dict.fromkeys(name for query in queries for name in query.get(key, ())))
