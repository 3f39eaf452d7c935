"""Sends a fixed number of requests over kept connections and notes how long each took."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """One kind of request; `%N%` in the body becomes a number that never comes again."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    def wire(self, number: int) -> bytes:
        """What is sent."""
        body = self.body.replace(b"%N%", str(number).encode())
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


class Numbers:
    """Numbers for bodies that must differ."""

    def __init__(self) -> None:
        self._last = 0

    def __next__(self) -> int:
        self._last += 1
        return self._last

    def __iter__(self) -> Iterator[int]:
        return self


async def one(port: int, asked: Asked, numbers: Numbers) -> bytes:
    """The body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
    try:
        writer.write(asked.wire(next(numbers)))
        return await _answer(reader)
    finally:
        writer.close()


async def many(
    port: int, asked: Asked, requests: int, connections: int, numbers: Numbers
) -> list[float]:
    """Seconds of each of `requests` requests, sent over `connections` connections."""
    left = iter(range(requests))
    waits: list[float] = []

    async def repeat() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
        fixed = None if b"%N%" in asked.body else asked.wire(0)
        for _ in left:
            began = time.perf_counter()
            writer.write(fixed or asked.wire(next(numbers)))
            await _answer(reader)
            waits.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(repeat() for _ in range(connections)))
    return waits


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.find(b"content-length:")
    if at >= 0:
        body = await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
    else:
        body = await _chunks(reader)
    if not head.startswith(b"http/1.1 200") or b'"errors":[{' in body[-2000:] + body[:2000]:
        raise RuntimeError(f"{head[:15].decode()}: {body[:600].decode(errors='replace')}")
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while size := int(await reader.readline(), 16):
        found += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return bytes(found)
