"""Values as rows of a binlog hold them, made into what a full read sends.

A reader takes the row's bytes and where its value begins, and gives the value and where it ends.
Dates come as text, timestamps as microseconds, decimals as text.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

Reader = Callable[[bytes, int], tuple[Any, int]]
Decode = Callable[[bytes], str]

_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def number(form: str) -> Reader:
    """A number that `struct` knows."""
    made = struct.Struct("<" + form)
    size, unpack = made.size, made.unpack_from

    def read(data: bytes, at: int) -> tuple[Any, int]:
        return unpack(data, at)[0], at + size

    return read


def medium(*, is_signed: bool) -> Reader:
    """Three bytes."""

    def read(data: bytes, at: int) -> tuple[int, int]:
        return int.from_bytes(data[at : at + 3], "little", signed=is_signed), at + 3

    return read


def year(data: bytes, at: int) -> tuple[int, int]:
    """A year; 0 is 0."""
    value = data[at]
    return (1900 + value if value else 0), at + 1


def date(data: bytes, at: int) -> tuple[str | None, int]:
    """A date; null without a month or a day."""
    value = int.from_bytes(data[at : at + 3], "little")
    month, day = value >> 5 & 15, value & 31
    return (date_text(value >> 9, month, day) if month and day else None), at + 3


def datetime(fraction: int) -> Reader:
    """A datetime with so many digits of a second; null without a month or a day."""
    size = (fraction + 1) // 2
    scale = 100 ** (3 - size)

    def read(data: bytes, at: int) -> tuple[str | None, int]:
        whole = int.from_bytes(data[at : at + 5], "big") - 0x8000000000
        end = at + 5 + size
        if not (whole >> 22) % 13 or not whole >> 17 & 31:
            return None, end
        micros = int.from_bytes(data[at + 5 : end], "big") * scale
        return datetime_text(whole, micros, fraction), end

    return read


def timestamp(fraction: int) -> Reader:
    """Microseconds since 1970; the zero date is null."""
    size = (fraction + 1) // 2
    scale = 100 ** (3 - size)

    def read(data: bytes, at: int) -> tuple[int | None, int]:
        end = at + 4 + size
        micros = int.from_bytes(data[at : at + 4], "big") * 1_000_000
        micros += int.from_bytes(data[at + 4 : end], "big") * scale
        return micros or None, end

    return read


def time(fraction: int) -> Reader:
    """A time of up to 838 hours, of either sign, as text."""
    size = (fraction + 1) // 2
    scale = 100 ** (3 - size)
    bits = 8 * size

    def read(data: bytes, at: int) -> tuple[str, int]:
        end = at + 3 + size
        packed = int.from_bytes(data[at:end], "big") - (0x800000 << bits)
        sign, packed = ("-", -packed) if packed < 0 else ("", packed)
        micros = (packed & ((1 << bits) - 1)) * scale
        return time_text(sign, packed >> bits, micros, fraction), end

    return read


def decimal(precision: int, scale: int) -> Reader:
    """A decimal as text, with all digits of its scale."""
    size = _decimal_size(precision, scale)

    def read(data: bytes, at: int) -> tuple[str, int]:
        end = at + size
        return decimal_text(data[at:end], precision, scale), end

    return read


def bits(width: int) -> Reader:
    """A bit field as a number; a single bit as a truth value."""
    size = (width + 7) // 8

    def read(data: bytes, at: int) -> tuple[int | bool, int]:
        value = int.from_bytes(data[at : at + size], "big")
        return (bool(value) if width == 1 else value), at + size

    return read


def chosen(size: int, names: Sequence[str]) -> Reader:
    """An enum as its text; a value that was none when it was written is empty."""

    def read(data: bytes, at: int) -> tuple[str, int]:
        index = int.from_bytes(data[at : at + size], "little")
        return (names[index - 1] if index else ""), at + size

    return read


def members(size: int, names: Sequence[str]) -> Reader:
    """A set as its members with commas between them."""

    def read(data: bytes, at: int) -> tuple[str, int]:
        mask = int.from_bytes(data[at : at + size], "little")
        return ",".join(name for i, name in enumerate(names) if mask >> i & 1), at + size

    return read


def text(size: int, decode: Decode) -> Reader:
    """A text behind its length of so many bytes."""

    def read(data: bytes, at: int) -> tuple[str, int]:
        start = at + size
        end = start + int.from_bytes(data[at:start], "little")
        return decode(data[start:end]), end

    return read


def blob(size: int, width: int = 0) -> Reader:
    """Bytes behind their length; of a fixed width the log leaves out zeros at the end."""

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        start = at + size
        end = start + int.from_bytes(data[at:start], "little")
        return data[start:end].ljust(width, b"\0"), end

    return read


def date_text(year: int, month: int, day: int) -> str:
    """`2026-01-31`."""
    return f"{year:04}-{month:02}-{day:02}"


def datetime_text(whole: int, micros: int, fraction: int) -> str:
    """`2026-01-31 10:00:00.123456` of the packed form."""
    years, month = divmod(whole >> 22, 13)
    clock = time_text("", whole & 0x1FFFF, micros, fraction)
    return f"{date_text(years, month, whole >> 17 & 31)} {clock}"


def time_text(sign: str, packed: int, micros: int, fraction: int) -> str:
    """`-100:00:00.5` of the packed form: hours, six bits of minutes, six of seconds."""
    said = f"{sign}{packed >> 12:02}:{packed >> 6 & 63:02}:{packed & 63:02}"
    return f"{said}.{micros:06}"[: len(said) + 1 + fraction] if fraction else said


def decimal_text(data: bytes, precision: int, scale: int) -> str:
    """Groups of nine digits in four bytes; the first bit is the sign, and negative ones are
    inverted."""
    sign = "" if data[0] & 0x80 else "-"
    mask = 0 if data[0] & 0x80 else (1 << 8 * len(data)) - 1
    plain = (int.from_bytes(data, "big") ^ mask ^ (0x80 << 8 * (len(data) - 1))).to_bytes(
        len(data), "big"
    )
    whole = precision - scale
    left, at = _digits(plain, 0, [whole % 9, *[9] * (whole // 9)])
    right, _ = _digits(plain, at, [*[9] * (scale // 9), scale % 9])
    left = left.lstrip("0") or "0"
    return f"{sign}{left}.{right}" if scale else f"{sign}{left}"


def _digits(data: bytes, at: int, groups: Sequence[int]) -> tuple[str, int]:
    parts = []
    for digits in groups:
        if digits:
            size = _DIGIT_BYTES[digits]
            parts.append(f"{int.from_bytes(data[at : at + size], 'big'):0{digits}}")
            at += size
    return "".join(parts), at


def _decimal_size(precision: int, scale: int) -> int:
    whole = precision - scale
    return 4 * (whole // 9 + scale // 9) + _DIGIT_BYTES[whole % 9] + _DIGIT_BYTES[scale % 9]
