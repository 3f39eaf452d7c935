"""How far a binlog was read: by global transaction ids where the server has them, and by file.

Both servers write other ids. MariaDB's `0-1-42` (domain, server, number) counts up in each domain;
MySQL's `uuid:1-42:50` is a set for each server. A file and a place in it are one server's own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from workers.connectors.base import Position, SyncError

_Runs = tuple[tuple[int, int], ...]
"""First and last numbers of runs, in order, with gaps between them."""


class Gtids(Protocol):
    """Transactions that were read."""

    def has(self, gtid: str) -> bool:
        """Whether one is among them."""

    def both(self, other: "Gtids") -> "Gtids":
        """Those of one or the other."""

    def common(self, other: "Gtids") -> "Gtids":
        """Those of both."""

    def then(self, gtid: str) -> "Gtids":
        """With one that follows in the log."""


@dataclass(frozen=True)
class MariaGtids:
    """MariaDB: the last transaction of each domain, as one server's log has them.

    Numbers grow along a log only where one server writes: two that write to one domain may both give
    the same one.
    """

    last: Mapping[str, tuple[int, str]]
    """Its number and its server, by domain."""

    @classmethod
    def read(cls, text: str) -> "MariaGtids":
        """As `gtid_binlog_pos` has it."""
        listed = [part.strip() for part in text.split(",") if part.strip()]
        if not all(re.fullmatch(r"\d+-\d+-\d+", part) for part in listed):
            raise ValueError(f"no transaction ids: {text[:40]}")
        parts = [part.split("-") for part in listed]
        return cls({domain: (int(number), server) for domain, server, number in parts})

    def __str__(self) -> str:
        listed = sorted(self.last.items(), key=lambda one: int(one[0]))
        return ",".join(f"{domain}-{server}-{number}" for domain, (number, server) in listed)

    def has(self, gtid: str) -> bool:
        domain, _, number = gtid.split("-")
        return domain in self.last and int(number) <= self.last[domain][0]

    def both(self, other: Gtids) -> "MariaGtids":
        assert isinstance(other, MariaGtids)
        domains = self.last.keys() | other.last.keys()
        greatest = {d: max(t.last[d] for t in (self, other) if d in t.last) for d in domains}
        return MariaGtids(greatest)

    def common(self, other: Gtids) -> "MariaGtids":
        assert isinstance(other, MariaGtids)
        domains = self.last.keys() & other.last.keys()
        return MariaGtids({d: min(self.last[d], other.last[d]) for d in domains})

    def then(self, gtid: str) -> "MariaGtids":
        domain, server, number = gtid.split("-")
        return MariaGtids({**self.last, domain: (int(number), server)})


@dataclass(frozen=True)
class MysqlGtids:
    """MySQL: runs of numbers of each server."""

    runs: Mapping[str, _Runs]

    @classmethod
    def read(cls, text: str) -> "MysqlGtids":
        """As `gtid_executed` has it."""
        runs: dict[str, _Runs] = {}
        for part in filter(None, re.sub(r"\s", "", text).split(",")):
            server, *ranges = part.split(":")
            UUID(server)
            if not all(re.fullmatch(r"\d+(-\d+)?", one) for one in ranges):
                raise SyncError("Transaction ids with tags are not read: give none (gtid_next).")
            pairs = [one.split("-") for one in ranges]
            runs[server] = _joined((int(pair[0]), int(pair[-1])) for pair in pairs)
        return cls(runs)

    def __str__(self) -> str:
        return ",".join(
            ":".join([server, *(f"{a}-{b}" if a < b else f"{a}" for a, b in runs)])
            for server, runs in sorted(self.runs.items())
        )

    def has(self, gtid: str) -> bool:
        server, number = gtid.split(":")
        return any(a <= int(number) <= b for a, b in self.runs.get(server, ()))

    def both(self, other: Gtids) -> "MysqlGtids":
        assert isinstance(other, MysqlGtids)
        servers = self.runs.keys() | other.runs.keys()
        return MysqlGtids(
            {s: _joined((*self.runs.get(s, ()), *other.runs.get(s, ()))) for s in servers}
        )

    def common(self, other: Gtids) -> "MysqlGtids":
        assert isinstance(other, MysqlGtids)
        found = {}
        for server in self.runs.keys() & other.runs.keys():
            pairs = [(a, b) for a in self.runs[server] for b in other.runs[server]]
            met = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs]
            if runs := _joined((a, b) for a, b in met if a <= b):
                found[server] = runs
        return MysqlGtids(found)

    def then(self, gtid: str) -> "MysqlGtids":
        return self.both(MysqlGtids.read(gtid))


def gtids(kind: str, text: str) -> Gtids:
    """Ids as a server of a kind (mariadb, mysql) writes them."""
    return MysqlGtids.read(text) if kind == "mysql" else MariaGtids.read(text)


@dataclass(frozen=True)
class Place:
    """Behind which transaction a stream is."""

    server: str
    """Whose file it is."""
    file: str
    at: int
    """Bytes, the end of the transaction."""
    gtids: Gtids | None = None

    @classmethod
    def read(cls, position: Position) -> "Place":
        """From a stream's position; SyncError where it is none."""
        try:
            kind, text = position["kind"], position["gtids"]
            known = None if text is None else gtids(kind, str(text))
            at = int(position["at"])
            if at < 0:
                raise ValueError(f"no place: {at}")
            return cls(str(position["server"]), str(position["file"]), at, known)
        except (KeyError, TypeError, ValueError):
            raise SyncError(
                "The state of a stream is no position in a binlog: clear the stream."
            ) from None

    def position(self) -> Position:
        """What is committed with the rows."""
        kind = "mysql" if isinstance(self.gtids, MysqlGtids) else "mariadb"
        text = None if self.gtids is None else str(self.gtids)
        return {
            "server": self.server,
            "file": self.file,
            "at": self.at,
            "kind": kind,
            "gtids": text,
        }

    @property
    def order(self) -> tuple[int, int]:
        """Later places on the same server compare greater."""
        return (file_number(self.file), self.at)

    def has(self, gtid: str | None, server: str, file: str, at: int) -> bool:
        """Whether a transaction, known by its id or where it begins in a server's log, was read."""
        if self.gtids is not None and gtid is not None and not self._is_exact(server):
            return self.gtids.has(gtid)
        return (file_number(file), at) <= self.order

    def behind(self, other: "Place") -> "Place":
        """The place behind what either has read; `other` is of the server that is read now."""
        if self._is_exact(other.server):
            return max(self, other, key=_order)
        if self.gtids is None or other.gtids is None:
            known = None
            later = max(self, other, key=lambda place: place.order)
        else:
            known = self.gtids.both(other.gtids)
            later = other if self.server != other.server else max(self, other, key=_order)
        return replace(later, gtids=known)

    def _is_exact(self, server: str) -> bool:
        """Whether all that was read of a server's log lies before `at`, and nothing else does: not
        in MySQL, where a load begins at a set of ids."""
        return self.server == server and isinstance(self.gtids, MariaGtids)


def file_number(name: str) -> int:
    """Which of the server's log files that is."""
    end = name.rpartition(".")[2]
    return int(end) if end.isdigit() else 0


def first(places: Iterable[Place]) -> Place:
    """The place from which nothing is missed; by ids only if all have some."""
    listed = list(places)
    known = [place.gtids for place in listed]
    earliest = min(listed, key=_order)
    if all(place._is_exact(earliest.server) for place in listed):
        return earliest
    common = known[0]
    for one in known[1:]:
        common = None if common is None or one is None else common.common(one)
    return replace(earliest, gtids=common)


def _order(place: Place) -> tuple[int, int]:
    return place.order


def _joined(runs: Iterable[tuple[int, int]]) -> _Runs:
    made: list[tuple[int, int]] = []
    for start, end in sorted(runs):
        if made and start <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return tuple(made)
