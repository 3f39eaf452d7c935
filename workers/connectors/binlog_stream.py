"""The events of a binlog, as its server sends them to a replica that asks for them.

The connection is PyMySQL's, made as all connections to the source are. The server sends at the speed
at which events are taken, and says so when its log has no more.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pymysql
from pymysql.constants import COMMAND, ER

from workers.connectors.base import SyncError
from workers.connectors.binlog_place import MariaGtids, MysqlGtids, Place, file_number
from workers.connectors.mysql import Mysql, my_fault

SILENT_S = 120
"""A server that sends nothing for so long is gone; it has a heartbeat of a few seconds."""
HEARTBEAT_NS = 10_000_000_000
PATIENCE_S = 24 * 3600
"""So long the server waits while we write what it has sent."""
_START = 4
"""Where the first event of a file begins."""
_HEADER = struct.Struct("<IBIIIH")
_NON_BLOCKING = 1
_ARTIFICIAL = 0x20
_ROTATE = 4
_FORMAT = 15
_SUM = 4
_HEARTBEATS = (27, 41)
_MARIADB_KNOWS_GTIDS = 4
_NOT_THERE = 1236  # ER_MASTER_FATAL_ERROR_READING_BINLOG
_AGAIN = "Clear the stream to load it anew, and let the server keep its binlogs for longer."


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `file` and `end` say where it ends, or where the last one did."""

    type: int
    seconds: int
    server: int
    file: str
    end: int
    body: bytes


class BinlogStream:
    """Events behind a place, up to where the log ends."""

    def __init__(self, my: Mysql, place: Place, server_id: int) -> None:
        self._place = place
        self._file = place.file
        self._end = 0
        self._is_checked = False
        self._connection = my.connect(read_timeout=SILENT_S)
        try:
            self._ask(place, server_id)
        except (pymysql.MySQLError, OSError) as error:
            self.close()
            raise my_fault(error) from None

    def events(self) -> Iterator[Event]:
        """All of them; SyncError where the server has not kept what follows the place."""
        try:
            while True:
                data = self._connection._read_packet().get_all_data()
                if data[0] == 0xFE and len(data) < 9:
                    return
                yield self._event(data)
        except (pymysql.MySQLError, OSError) as error:
            raise self._fault(error) from None

    @property
    def order(self) -> tuple[int, int]:
        """Where the last event ended, as places are ordered."""
        return (file_number(self._file), self._end)

    def close(self) -> None:
        """End the connection, in whatever it is."""
        self._connection._force_close()

    def _event(self, data: bytes) -> Event:
        seconds, type_, server, _, end, flags = _HEADER.unpack_from(data, 1)
        if type_ == _FORMAT:
            # It tells how this file is checked, in front of its own sum.
            self._is_checked = data[-_SUM - 1] == 1
        elif self._is_checked or type_ == _ROTATE:
            data = _checked(data, must=type_ != _ROTATE)
        body = data[1 + _HEADER.size :]
        if type_ == _ROTATE:
            self._file, self._end = body[8:].decode(), 0
        elif end and not flags & _ARTIFICIAL and type_ not in _HEARTBEATS:
            # The header has 32 bits of it, and one transaction can make a file larger.
            while end < self._end:
                end += 1 << 32
            self._end = end
        return Event(type_, seconds, server, self._file, self._end, body)

    def _ask(self, place: Place, server_id: int) -> None:
        wanted = {
            "@master_binlog_checksum": "'NONE'",
            "@source_binlog_checksum": "'NONE'",
            "@master_heartbeat_period": HEARTBEAT_NS,
            "@source_heartbeat_period": HEARTBEAT_NS,
            "@mariadb_slave_capability": _MARIADB_KNOWS_GTIDS,
            "SESSION net_write_timeout": PATIENCE_S,
        }
        if isinstance(place.gtids, MariaGtids):
            wanted |= {"@slave_connect_state": f"'{place.gtids}'", "@slave_gtid_strict_mode": 0}
        said = ", ".join(f"{name} = {value}" for name, value in wanted.items())
        with self._connection.cursor() as cursor:
            cursor.execute(f"SET {said}")
        if isinstance(place.gtids, MysqlGtids):
            self._send(COMMAND.COM_BINLOG_DUMP_GTID, _by_gtids(place.gtids, server_id))
        elif place.gtids is None:
            self._send(COMMAND.COM_BINLOG_DUMP, _by_file(place.file, place.at, server_id))
        else:
            self._send(COMMAND.COM_BINLOG_DUMP, _by_file("", _START, server_id))

    def _send(self, command: int, body: bytes) -> None:
        self._connection._execute_command(command, body)

    def _fault(self, error: Exception) -> SyncError:
        code = error.args[0] if error.args else 0
        if code == _NOT_THERE:
            said = str(error.args[1])[:300]
            return SyncError(f"The server cannot send its binlog from there: {said}. {_AGAIN}")
        if code == ER.SPECIFIC_ACCESS_DENIED_ERROR:
            return SyncError(
                "The user may not read the binlog: GRANT REPLICATION SLAVE ON *.* to it."
            )
        return my_fault(error)


def _checked(data: bytes, *, must: bool) -> bytes:
    """An event without its sum. One that leads to another file may come with it or without."""
    if zlib.crc32(data[1:-_SUM]) == int.from_bytes(data[-_SUM:], "little"):
        return data[:-_SUM]
    if must:
        raise SyncError("A part of the binlog has arrived damaged.", retry=True)
    return data


def uncompressed(data: bytes) -> bytes:
    """What MariaDB has compressed (log_bin_compress): a byte tells how many bytes of length follow."""
    return zlib.decompress(data[1 + (data[0] & 7) :])


def _by_file(file: str, at: int, server_id: int) -> bytes:
    if at >= 1 << 32:
        raise SyncError(f"The binlog cannot be read from {file}:{at}, beyond 4 GB. {_AGAIN}")
    return struct.pack("<IHI", at, _NON_BLOCKING, server_id) + file.encode()


def _by_gtids(gtids: MysqlGtids, server_id: int) -> bytes:
    listed = struct.pack("<Q", len(gtids.runs))
    for server, runs in gtids.runs.items():
        listed += bytes.fromhex(server.replace("-", "")) + struct.pack("<Q", len(runs))
        listed += b"".join(struct.pack("<QQ", start, end + 1) for start, end in runs)
    head = struct.pack("<HIIQ", _NON_BLOCKING | 4, server_id, 0, _START)
    return head + struct.pack("<I", len(listed)) + listed
