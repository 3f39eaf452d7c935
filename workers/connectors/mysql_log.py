"""The binlog of a MySQL or MariaDB server: whether it can be read, where it is, and what it is of."""

import socket
import zlib
from collections.abc import Iterable
from functools import cache, cached_property

from workers.connectors.base import Session, SyncError
from workers.connectors.binlog_place import Gtids, MariaGtids, Place, file_number, gtids
from workers.connectors.binlog_stream import BinlogStream
from workers.connectors.binlog_tables import charmap
from workers.connectors.binlog_values import Decode
from workers.connectors.mysql import Mysql, my_literal, my_quote

_WANTED = {
    "log_bin": ("ON",),
    "binlog_format": ("ROW",),
    "binlog_row_image": ("FULL", "FULL_NODUP"),
    "binlog_row_metadata": ("FULL",),
    "binlog_row_value_options": ("",),
    "binlog_transaction_compression": ("OFF",),
}
_FIRST = 4
_CASCADES = """
SELECT DISTINCT r.TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS r
WHERE r.CONSTRAINT_SCHEMA = {schema} AND r.TABLE_NAME = {table}
  AND (r.DELETE_RULE IN ('CASCADE', 'SET NULL') OR r.UPDATE_RULE IN ('CASCADE', 'SET NULL'))
"""
_COLLATIONS = """
SELECT a.ID, c.CHARACTER_SET_NAME, c.MAXLEN
FROM information_schema.{table} a JOIN information_schema.CHARACTER_SETS c
ON c.CHARACTER_SET_NAME = a.CHARACTER_SET_NAME WHERE a.ID IS NOT NULL
"""
_UTF8 = ("utf8", "utf8mb3", "utf8mb4", "ascii")
_CODECS = {
    "ucs2": "utf_16_be",
    "utf16": "utf_16_be",
    "utf16le": "utf_16_le",
    "utf32": "utf_32_be",
    "big5": "big5",
    "cp932": "cp932",
    "sjis": "shift_jis",
    "euckr": "euc_kr",
    "gbk": "gbk",
    "ujis": "euc_jp",
    "gb2312": "gb2312",
    "gb18030": "gb18030",
}


class MysqlLog:
    """One server's binlog."""

    def __init__(self, my: Mysql, session: Session) -> None:
        self.my = my
        self.session = session
        version = str(my.rows("SELECT VERSION()")[0][0])
        self.kind = "mariadb" if "mariadb" in version.lower() else "mysql"
        numbers = [int(part) for part in version.split("-")[0].split(".")[:2]]
        # MySQL 8.4 has no masters any more.
        is_new = self.kind == "mysql" and numbers >= [8, 2]
        self._status = "SHOW BINARY LOG STATUS" if is_new else "SHOW MASTER STATUS"
        is_many = self.kind == "mariadb" and numbers >= [10, 10]
        self._listed = "COLLATION_CHARACTER_SET_APPLICABILITY" if is_many else "COLLATIONS"
        name = "server_id" if self.kind == "mariadb" else "server_uuid"
        self.server = str(my.rows(f"SELECT @@{name}")[0][0])
        self.charset = cache(self._charset)

    def check(self) -> None:
        """Whether the binlog can be read; SyncError says what is missing."""
        self.check_settings()
        stream = self.stream(self.end())
        try:
            # Whether the user has the right is known only by reading.
            next(stream.events(), None)
        finally:
            stream.close()

    def check_settings(self) -> None:
        """SyncError where the server does not log all that is needed."""
        listed = ", ".join(f"'{name}'" for name in _WANTED)
        query = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})"
        have = {str(name).lower(): str(value).upper() for name, value in self.my.rows(query)}
        if have.get("log_bin") not in ("ON", "1"):
            raise SyncError("The server writes no binlog: set log_bin, and restart the server.")
        wrong = [
            f"{name} = {good[0] or repr('')}"
            for name, good in _WANTED.items()
            if name in have and name != "log_bin" and have[name] not in good
        ]
        if "binlog_row_metadata" not in have:
            raise SyncError("Change data capture needs MySQL 8.0.1, MariaDB 10.5, or later.")
        if wrong:
            raise SyncError(
                f"The server's binlog does not tell enough: set {', '.join(wrong)} (SET GLOBAL, "
                "and in its configuration file), and let programs connect anew."
            )

    def end(self) -> Place:
        """Where the log ends now, without ids."""
        found = self.my.rows(self._status)
        if not found:
            raise SyncError("The server writes no binlog: set log_bin, and restart the server.")
        file, at, only, without, *_ = found[0]
        database = self.my.text("database")
        left_out = only and database not in str(only).split(",")
        if left_out or database in str(without or "").split(","):
            raise SyncError(
                f"The server leaves {database} out of its binlog: mend binlog_do_db and "
                "binlog_ignore_db."
            )
        return Place(self.server, str(file), int(at))

    def now(self) -> Place:
        """Where a stream begins that wants only what comes."""
        return self._with_ids(self.end())

    def before_load(self) -> Place:
        """A place such that a reading that begins now sees all that was logged before it.

        What stands in the log is seen a little later, when its engine has committed, too.
        """
        if self.kind == "mariadb":
            return self._with_ids(self._snapshot())
        # The set of ids grows only once a transaction can be seen, and a file ends only once all
        # of its transactions can.
        (known,) = self.my.rows("SELECT @@GLOBAL.gtid_mode, @@GLOBAL.gtid_executed")
        ids = gtids("mysql", known[1]) if str(known[0]).upper() == "ON" else None
        return Place(self.server, self.end().file, _FIRST, ids)

    def verify(self, places: Iterable[Place]) -> None:
        """SyncError where this server cannot be the one whose binlog was read until now."""
        again = "Clear the streams to load them anew."
        listed = list(places)
        for place in listed:
            if place.server != self.server and place.gtids is None:
                raise SyncError(f"This is another server than the one that was read. {again}")
        first = min(listed, key=lambda place: place.order)
        self._verify_end(place for place in listed if place.server == self.server)
        if any(place.server != self.server for place in listed):
            self.session.log("info", "The server is another one: it is read by transaction ids.")
        elif first.gtids is None:
            self._verify_file(first)
        elif (
            self.kind == "mariadb"
            and first.file in self._files()
            and self._ids_at(first) != first.gtids
        ):
            raise SyncError(
                f"The server's binlog is not the one that was read until now: at {first.file}:"
                f"{first.at} stood transaction {first.gtids}. {again}"
            )

    def stream(self, place: Place) -> BinlogStream:
        """The events behind a place."""
        return BinlogStream(self.my, place, self._number())

    def warn_of_cascades(self, table: str) -> None:
        """Say that changes by foreign keys are in no binlog."""
        schema = my_literal(self.my.text("database"))
        if self.my.rows(_CASCADES.format(schema=schema, table=my_literal(table))):
            self.session.log(
                "warning",
                f"Rows of {table} are changed or deleted by its foreign keys, and the server's "
                "binlog does not tell of that: refresh in full from time to time.",
            )

    def _number(self) -> int:
        """By what the server knows us: each job has another one, at random far from replicas'."""
        run = self.session.run
        named = f"{run.job}/{self.session.data_root}/{socket.gethostname()}"
        return 0x40000000 + zlib.crc32(named.encode()) % 0x80000000

    def _with_ids(self, place: Place) -> Place:
        if self.kind == "mariadb":
            return Place(place.server, place.file, place.at, self._ids_at(place))
        (known,) = self.my.rows("SELECT @@GLOBAL.gtid_mode, @@GLOBAL.gtid_executed")
        ids = gtids("mysql", known[1]) if str(known[0]).upper() == "ON" else None
        return Place(place.server, place.file, place.at, ids)

    def _ids_at(self, place: Place) -> Gtids | None:
        """MariaDB's ids at a place; None where it has that file no more."""
        file = my_literal(place.file)
        found = self.my.rows(f"SELECT BINLOG_GTID_POS({file}, {place.at})")[0][0]
        return None if found is None else MariaGtids.read(str(found))

    def _snapshot(self) -> Place:
        """What a snapshot of InnoDB has seen of the log."""
        self.my.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        try:
            found = dict(self.my.rows("SHOW STATUS LIKE 'binlog_snapshot_%'"))
        finally:
            self.my.rows("COMMIT")
        return Place(
            self.server, str(found["Binlog_snapshot_file"]), int(found["Binlog_snapshot_position"])
        )

    def _verify_end(self, places: Iterable[Place]) -> None:
        """A log that ends before a place was begun anew, and counts its ids from 1 again."""
        files, end = self._files(), self.end()
        for place in places:
            if place.order > end.order or place.at > files.get(place.file, place.at):
                raise SyncError(
                    f"The server's binlog is not the one that was read until now: it was read up to "
                    f"{place.file}:{place.at}, and ends at {end.file}:{end.at}. Clear the streams to "
                    "load them anew."
                )

    def _files(self) -> dict[str, int]:
        """The sizes of its files."""
        return {str(row[0]): int(row[1]) for row in self.my.rows("SHOW BINARY LOGS")}

    def _verify_file(self, place: Place) -> None:
        have = self._files()
        if place.at > have.get(place.file, 0):
            oldest = min(have, key=file_number, default="none")
            raise SyncError(
                f"The server has purged its binlog {place.file}, which was read up to {place.at} "
                f"(the oldest is {oldest}). Clear the streams to load them anew, and let the "
                "server keep its binlogs for longer."
            )

    def _charset(self, collation: int) -> Decode:
        """How texts of a collation are decoded, as the server would."""
        name, width = self._collations.get(collation, ("", 0))
        if name in _UTF8:
            return lambda data: data.decode("utf-8", "replace")
        if name == "binary":
            return lambda data: data.decode("utf-8", "replace")
        if width == 1:
            asked = ", ".join(
                f"CONVERT(_{name} X'{code:02x}' USING utf8mb4) AS {my_quote(f'c{code}')}"
                for code in range(256)
            )
            return charmap(
                "".join(str(c or "\ufffd")[:1] for c in self.my.rows(f"SELECT {asked}")[0])
            )
        codec = _CODECS.get(name)
        if codec is None:
            raise SyncError(f"Texts in the character set {name or collation} cannot be read.")
        return lambda data: data.decode(codec, "replace")

    @cached_property
    def _collations(self) -> dict[int, tuple[str, int]]:
        """Character set, and bytes of a character at most, by the number of a collation."""
        rows = self.my.rows(_COLLATIONS.format(table=self._listed))
        return {int(number): (str(name), int(width)) for number, name, width in rows}
