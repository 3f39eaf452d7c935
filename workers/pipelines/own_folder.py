"""Where this worker's runs have their files: a folder that does not outlive it.

What a killed worker leaves behind has opened secrets in it. Each holds a lock on its folder, which
ends with its process whatever ends that, and each deletes at its start what nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "isthmus-worker-"


class OwnFolder:
    """A new folder, locked until `close`; what dead workers have left beside it is deleted."""

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            held = _lock(self.path)
            # Between the two another worker may have taken it for left behind.
            if held is not None and self.path.exists():
                self._held = held
                return
            if held is not None:
                os.close(held)

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        held = _lock(path)
        if held is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _lock(path: Path) -> int | None:
    """A descriptor that holds our own folder's lock; None where another holds it, or it is gone."""
    with contextlib.suppress(OSError):
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(held).st_uid == os.getuid():
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return held
        except OSError:
            pass
        os.close(held)
    return None
