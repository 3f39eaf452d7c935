"""Formats of files as relations of DuckDB, with types that hold every value of every row."""

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.connectors import duck
from workers.connectors.base import Config, Session, SyncError, literal, quote
from workers.connectors.file_places import File, Place

_ENDINGS = {
    "csv": ("csv", "tsv", "txt"),
    "json": ("json", "jsonl", "ndjson"),
    "parquet": ("parquet",),
}
_AS_THEY_ARE = ("BOOLEAN", "BIGINT", "UBIGINT", "HUGEINT", "DOUBLE", "VARCHAR")
MOST_UNPACKED = 8 * 2**30


class Format:
    """How files are read. `FILE` is the column with the path that DuckDB has opened."""

    FILE = "_isthmus_file"

    def __init__(self, session: Session, config: Config, place: Place) -> None:
        self.session = session
        self.place = place
        self.name = str(config.get("file_format") or "csv").lower()
        self.compression = str(config.get("compression") or "none").lower()
        self.options: Config = config.get(self.name) or {}
        self.check_all = config.get("check_all_rows") is not False
        self._unpacked: dict[str, str] = {}

    def verify(self) -> None:
        """SyncError where the format is not one of ours."""
        if self.name not in _ENDINGS:
            raise SyncError(f"Files of the format {self.name} are not read here.")
        if self.compression not in ("none", "gzip", "zip"):
            raise SyncError(f"The compression {self.compression} is not known.")

    def fits(self, name: str) -> bool:
        """Whether a name ends as those of the format do."""
        endings = "|".join(_ENDINGS[self.name])
        return re.search(rf"\.({endings})(\.(gz|gzip|zst|zip))?$", name.lower()) is not None

    def relation(self, files: Sequence[File], *, all_rows: bool) -> str:
        """A SELECT of all rows; types hold what comes in all of them, or in their beginning."""
        paths = ", ".join(literal(_escaped(self.opened(file))) for file in files)
        sample = ", sample_size = -1" if all_rows and self.check_all else ""
        read = f"[{paths}], union_by_name = true, filename = {literal(self.FILE)}"
        if self.name == "parquet":
            return f"SELECT * FROM read_parquet({read}, hive_partitioning = false)"
        read += f", hive_partitioning = false{self._compressed()}"
        if self.name == "csv":
            return f"SELECT * FROM read_csv({read}{self._csv()}{sample})"
        return self._json(read, sample)

    def opened(self, file: File) -> str:
        """The path that DuckDB opens: the file's own, or what an archive was unpacked to."""
        if self.compression != "zip" or not file.name.lower().endswith(".zip"):
            return file.path
        if file.path not in self._unpacked:
            self._unpacked[file.path] = str(self._unpack(file))
        return self._unpacked[file.path]

    def _compressed(self) -> str:
        # DuckDB tells by the name's ending where the settings do not say.
        return ", compression = 'gzip'" if self.compression == "gzip" else ""

    def _csv(self) -> str:
        given = {
            "delim": str(self.options.get("delimiter") or ","),
            "header": self.options.get("has_header") is not False,
            "skip": int(self.options.get("skip_rows") or 0),
            "quote": str(self.options.get("quote_character", '"')),
            "all_varchar": self.options.get("infer_types") is False,
            # Other formats of dates cannot be told from one another.
            "dateformat": "%Y-%m-%d",
        }
        return "".join(f", {name} = {_option(value)}" for name, value in given.items())

    def _json(self, read: str, sample: str) -> str:
        """Texts stay texts, whatever they look like; what is nested becomes JSON text."""
        lines = self.options.get("line_delimited") is not False
        read += f", format = {literal('newline_delimited' if lines else 'auto')}"
        seen = duck.columns(
            self.session.duck,
            f"SELECT * FROM read_json({read}, maximum_sample_files = 100000{sample})",
        )
        columns = {n: _json_type(t) for n, t in seen if n != self.FILE}
        listed = ", ".join(f"{literal(n)}: {literal(t)}" for n, t in columns.items())
        selected = [
            f"{quote(n)} ->> '$' AS {quote(n)}" if t == "JSON" else quote(n)
            for n, t in columns.items()
        ]
        names = ", ".join([*selected, self.FILE])
        return f"SELECT {names} FROM read_json({read}, columns = {{{listed}}})"

    def _unpack(self, file: File) -> Path:
        number = len(self._unpacked)
        archive = self.session.scratch / f"archive_{number}.zip"
        self.place.fetch(file, archive)
        unpacked = self.session.scratch / f"archive_{number}.{self.name}"
        try:
            with zipfile.ZipFile(archive) as packed:
                members = [info for info in packed.infolist() if not info.is_dir()]
                if len(members) != 1:
                    raise SyncError(f"The archive {file.name} must hold one file.")
                if members[0].file_size > MOST_UNPACKED:
                    raise SyncError(f"The archive {file.name} is too large.")
                with packed.open(members[0]) as read, unpacked.open("wb") as written:
                    shutil.copyfileobj(read, written)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
            raise SyncError(f"The file {file.name} is no archive that can be unpacked.") from None
        finally:
            archive.unlink(missing_ok=True)
        return unpacked


def _escaped(path: str) -> str:
    """A path of which DuckDB reads no sign as a pattern."""
    if path.startswith("s3://") and re.search(r"[?#%]", path):
        name = path.rpartition("/")[2]
        raise SyncError(f"The file {name} cannot be read: its name has one of the signs ? # %.")
    return re.sub(r"([*?\[])", r"[\1]", path)


def _json_type(type_: str) -> str:
    if type_ in _AS_THEY_ARE:
        return type_
    nested = type_.endswith("]") or type_ == "JSON" or "(" in type_
    return "JSON" if nested else "VARCHAR"


def _option(value: Any) -> str:
    return literal(value) if isinstance(value, str) else str(value).lower()
