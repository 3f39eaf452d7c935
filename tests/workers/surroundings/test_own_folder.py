"""What a killed worker leaves on the disk is deleted by the next; what a living one has stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from workers.pipelines.own_folder import OwnFolder

HOLD = """
import sys
from workers.pipelines.own_folder import OwnFolder
own = OwnFolder()
(own.path / "io_config.yaml").write_text("secret")
print(own.path, flush=True)
sys.stdin.read()
"""


def test_only_what_the_dead_left_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = OwnFolder()
    (living.path / "kept").touch()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"TMPDIR": str(tmp_path)},
        text=True,
    )
    assert other.stdout is not None
    left = Path(other.stdout.readline().strip())
    OwnFolder().close()
    assert (left / "io_config.yaml").exists()
    other.kill()
    other.wait()
    assert left.exists()
    OwnFolder().close()
    assert list(tmp_path.iterdir()) == [living.path]
    assert (living.path / "kept").exists()
    living.close()
    assert list(tmp_path.iterdir()) == []
