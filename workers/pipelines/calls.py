"""What goes to a block's process and what comes back."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from workers.pipelines import values

# Frames between a block and its worker: four bytes of length, then JSON.
FRAME = struct.Struct(">I")
MAX_FRAME = 8 * 1024 * 1024
MAX_LINE = 16 * 1024
# What a log line costs of `BlockCall.log_bytes` beside its text.
LINE_COST = 32


# Orders of the worker to a block's guardian, each on a line of its own.
TERMINATE = b"T"
KILL = b"K"

Kind = Literal["table", "json", "text"]


@dataclass(frozen=True)
class Output:
    """One stored output. `path` is relative to the storage root; rows and columns of tables."""

    name: str
    kind: Kind
    path: str
    bytes: int
    rows: int | None = None
    columns: int | None = None


@dataclass(frozen=True)
class Input:
    """What a block gets of one upstream step, by the outputs that are stored below the storage.

    Its value; or the one `item` of a dynamic block's; or, with `is_list`, the list of the values of
    all parts, which are the copies of a block that reduces.
    """

    parts: tuple[tuple[Output, ...], ...]
    item: int | None = None
    is_list: bool = False

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the step stored, where this is its value and nothing else; else nothing."""
        return self.parts[0] if self.item is None and not self.is_list else ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Input":
        """The input that `vars` and JSON made plain."""
        parts = tuple(tuple(Output(**output) for output in part) for part in plain["parts"])
        return cls(parts, plain["item"], plain["is_list"])

    def to_plain(self) -> dict[str, Any]:
        """As JSON can have it."""
        parts = [[vars(output) for output in part] for part in self.parts]
        return {"parts": parts, "item": self.item, "is_list": self.is_list}


@dataclass(frozen=True)
class Upstream:
    """What a block needs to know of one upstream block beside its outputs."""

    uuid: str
    language: str = "python"
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockCall:
    """One execution of one block.

    `kwargs` are the merged variables of the run (dates and decimals may be among them);
    `inputs` are what it gets of each upstream block, in order; `output_dir` lies below
    `storage`, as they do. `event` is what a callback is called for. `work_dir` is the project
    folder: working folder and import path of the code, as is the folder that it lies in, which is
    the run's own.
    `env` is the block's whole environment but for PATH, HOME and LANG, which have defaults.
    `secrets` are the project's, by name; `warehouse_url` is the built-in database, if there is one.
    `upstream` says whose outputs the `inputs` are; DuckDB files lie in `database_dir`.
    """

    run_id: str
    step_id: int
    block_uuid: str
    block_type: str
    language: str
    content: str
    storage: Path
    output_dir: Path
    work_dir: Path
    inputs: tuple[Input, ...] = ()
    event: str | None = None
    upstream: tuple[Upstream, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    execution_date: datetime | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    warehouse_url: str | None = field(default=None, repr=False)
    database_dir: Path | None = None
    timeout_s: float | None = None
    memory_bytes: int = 8 * 1024**3
    open_files: int = 1024
    log_bytes: int = 10 * 1024**2

    def to_json(self) -> bytes:
        """The call as it is sent; UnsupportedValue for variables that are no data."""
        plain = {
            **vars(self),
            "storage": str(self.storage),
            "output_dir": str(self.output_dir),
            "work_dir": str(self.work_dir),
            "inputs": [upstream.to_plain() for upstream in self.inputs],
            "upstream": [dict(vars(block)) for block in self.upstream],
            "database_dir": str(self.database_dir) if self.database_dir else None,
            "kwargs": dict(self.kwargs),
            "configuration": dict(self.configuration),
            "env": dict(self.env),
            "secrets": dict(self.secrets),
        }
        return values.dumps(plain).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "BlockCall":
        """The call that `to_json` wrote."""
        plain = values.loads(content)
        for name in ("storage", "output_dir", "work_dir"):
            plain[name] = Path(plain[name])
        plain["inputs"] = tuple(Input.from_plain(upstream) for upstream in plain["inputs"])
        plain["upstream"] = tuple(Upstream(**block) for block in plain["upstream"])
        folder = plain["database_dir"]
        plain["database_dir"] = Path(folder) if folder else None
        return cls(**plain)

    @property
    def pipeline_uuid(self) -> str:
        """The pipeline that the run belongs to, as its variables name it."""
        return str(self.kwargs.get("pipeline_uuid") or "pipeline")


@dataclass(frozen=True)
class LogRecord:
    """One line that a block printed or logged; `at` is UTC."""

    at: datetime
    level: str
    message: str


@dataclass(frozen=True)
class BlockMetrics:
    """What the block's process used: CPU and wall seconds, largest resident set in bytes."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    max_rss_bytes: int = 0


@dataclass(frozen=True)
class BlockResult:
    """How a block ended.

    `verdict` is what a sensor or a condition said; `items` are the keys of a dynamic block's items.
    `reason` is None for success and for an exception of the user's code; else `timeout`,
    `memory`, `killed` (by a signal that was not ours, or `kill_all`), `exited` (the process
    ended itself), `tests`, `unsupported` or `worker_lost`.
    """

    ok: bool
    outputs: tuple[Output, ...] = ()
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None
    reason: str | None = None
    verdict: bool | None = None
    items: tuple[str, ...] | None = None
    metrics: BlockMetrics = BlockMetrics()


def frame(message: Any) -> bytes:
    """A message with its length in front."""
    content = json.dumps(message, separators=(",", ":")).encode()
    return FRAME.pack(len(content)) + content


def clean_text(text: str) -> str:
    """Text that PostgreSQL can store: no NUL, no lone surrogate."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
