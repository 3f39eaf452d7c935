"""MySQL's binary JSON (a document as its server stores it) as the text that the server writes."""

import base64
import json
import struct

from workers.connectors.binlog_values import date_text, datetime_text, decimal_text, time_text

_NUMBERS = {0x05: "<h", 0x06: "<H", 0x07: "<i", 0x08: "<I", 0x09: "<q", 0x0A: "<Q"}
_LITERALS = {0: "null", 1: "true", 2: "false"}
_DATE, _DATETIMES, _TIME, _DECIMAL = 10, (7, 12), 11, 246


def json_text(data: bytes) -> str:
    """The text of a document; an empty one is null, as the server reads it."""
    return _value(data[0], data, 1) if data else "null"


def _value(kind: int, data: bytes, at: int) -> str:
    if kind <= 0x03:
        return _container(data[at:], is_large=bool(kind & 1), is_list=kind >= 0x02)
    if kind == 0x04:
        return _LITERALS[data[at]]
    if kind in _NUMBERS:
        return str(struct.unpack_from(_NUMBERS[kind], data, at)[0])
    if kind == 0x0B:
        return _double(struct.unpack_from("<d", data, at)[0])
    if kind == 0x0C:
        length, at = _length(data, at)
        return json.dumps(data[at : at + length].decode("utf-8", "replace"), ensure_ascii=False)
    if kind == 0x0F:
        length, start = _length(data, at + 1)
        return _opaque(data[at], data[start : start + length])
    raise ValueError(f"JSON of kind {kind}")


def _container(data: bytes, *, is_large: bool, is_list: bool) -> str:
    """An object or a list; offsets count from its first byte."""
    size, form = (4, "<I") if is_large else (2, "<H")
    (count,) = struct.unpack_from(form, data, 0)
    keys_at = 2 * size
    values_at = keys_at + (0 if is_list else count * (size + 2))
    values = [_entry(data, values_at + i * (1 + size), size, form) for i in range(count)]
    if is_list:
        return f"[{', '.join(values)}]"
    keys = [_key(data, keys_at + i * (size + 2), form, size) for i in range(count)]
    return "{" + ", ".join(f"{k}: {v}" for k, v in zip(keys, values, strict=True)) + "}"


def _key(data: bytes, at: int, form: str, size: int) -> str:
    (offset,) = struct.unpack_from(form, data, at)
    (length,) = struct.unpack_from("<H", data, at + size)
    return json.dumps(data[offset : offset + length].decode("utf-8", "replace"), ensure_ascii=False)


def _entry(data: bytes, at: int, size: int, form: str) -> str:
    """A value stands in its entry where it is small enough, and else where the entry says."""
    kind = data[at]
    if kind in (0x04, 0x05, 0x06) or (size == 4 and kind in (0x07, 0x08)):
        return _value(kind, data, at + 1)
    (offset,) = struct.unpack_from(form, data, at + 1)
    return _value(kind, data, offset)


def _double(number: float) -> str:
    text = repr(number)
    return text.replace("e+", "e") if "e" in text else text


def _opaque(type_: int, data: bytes) -> str:
    if type_ == _DECIMAL:
        return decimal_text(data[2:], data[0], data[1])
    if type_ in (_DATE, *_DATETIMES, _TIME):
        return f'"{_moment(type_, int.from_bytes(data, "little", signed=True))}"'
    return f'"base64:type{type_}:{base64.b64encode(data).decode()}"'


def _moment(type_: int, packed: int) -> str:
    whole, micros = packed >> 24, packed & 0xFFFFFF
    if type_ == _TIME:
        sign, packed = ("-", -packed) if packed < 0 else ("", packed)
        return time_text(sign, packed >> 24, packed & 0xFFFFFF, 6)
    if type_ == _DATE:
        return date_text(*divmod(whole >> 22, 13), whole >> 17 & 31)
    return datetime_text(whole, micros, 6)


def _length(data: bytes, at: int) -> tuple[int, int]:
    length = shift = 0
    while True:
        byte = data[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return length, at
