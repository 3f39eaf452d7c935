"""How a MongoDB server compares values, and finds documents by a filter."""

from collections.abc import Callable
from typing import Any

import bson
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

Doc = dict[str, Any]
CODEC: CodecOptions[Doc] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def copy(document: Doc) -> Doc:
    """The document as BSON keeps it."""
    return bson.decode(bson.encode(document), CODEC)


def order(value: Any) -> tuple[int, Any]:
    """MongoDB's order of values of all types."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (7, value)
    if isinstance(value, Decimal128):
        return (1, value.to_decimal())
    if isinstance(value, (int, float)):
        return (1, value)
    if isinstance(value, str):
        return (2, value.encode())
    if isinstance(value, dict):
        return (3, bson.encode(value))
    if isinstance(value, list):
        return (4, bson.encode({"": value}))
    if isinstance(value, (bytes, Binary)):
        return (5, (len(value), getattr(value, "subtype", 0), bytes(value)))
    if isinstance(value, ObjectId):
        return (6, value.binary)
    if isinstance(value, DatetimeMS):
        return (8, int(value))
    assert isinstance(value, Timestamp), value
    return (9, (value.time, value.inc))


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def matches(document: Doc, filter_: Doc) -> bool:
    """Whether a document is what a filter looks for."""
    for name, condition in filter_.items():
        if name == "$or":
            met = any(matches(document, one) for one in condition)
        elif name == "$nor":
            met = not any(matches(document, one) for one in condition)
        elif isinstance(condition, dict) and any(k.startswith("$") for k in condition):
            met = all(_meets(document.get(name), k, v) for k, v in condition.items())
        else:
            met = order(document.get(name)) == order(condition)
        if not met:
            return False
    return True


def _meets(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$ne":
        return order(value) != order(operand)
    if operator == "$in":
        return any(order(value) == order(one) for one in operand)
    left, right = order(value), order(operand)
    # Comparisons stay within one type.
    return left[0] == right[0] and _COMPARE[operator](left[1], right[1])
