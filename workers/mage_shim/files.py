"""`mage_ai.io.file`: files of the project's folder."""

from pathlib import Path
from typing import Any

import pandas as pd

_FORMATS = {
    "csv": ("read_csv", "to_csv"),
    "json": ("read_json", "to_json"),
    "parquet": ("read_parquet", "to_parquet"),
}


class FileIO:
    """Reads and writes frames as csv, json or parquet, by the file's ending or by `format`."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Takes what it is given: there is nothing to configure."""

    @classmethod
    def with_config(cls, *_: Any, **__: Any) -> "FileIO":
        """A FileIO."""
        return cls()

    def load(
        self, filepath: str, format: Any = None, limit: int | None = None, **options: Any
    ) -> pd.DataFrame:
        """The frame in a file, or the first `limit` rows of it."""
        read, _ = _functions(filepath, format)
        frame: pd.DataFrame = getattr(pd, read)(filepath, **options)
        return frame if limit is None else frame.head(limit)

    def export(self, df: pd.DataFrame, filepath: str, format: Any = None, **options: Any) -> None:
        """Write a frame; csv without the index unless `index=True`."""
        _, write = _functions(filepath, format)
        if write == "to_csv":
            options = {"index": False, **options}
        getattr(df, write)(filepath, **options)


def _functions(filepath: str, format: Any) -> tuple[str, str]:
    wanted = str(getattr(format, "value", format) or Path(filepath).suffix.lstrip(".")).lower()
    if wanted not in _FORMATS:
        raise ValueError(f"Files of format {wanted!r} are not offered: {', '.join(_FORMATS)} are.")
    return _FORMATS[wanted]
