"""The logs of a task as a file to keep."""

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from rest_compat.dialect import Answer, Call
from rest_compat.olake.logs import LEVELS, only_task, shown_line, task_of
from rest_compat.olake.values import moment, path_number

PARTS = 10
"""Of 10,000 lines each: the operation has as many pages."""


def wanted(call: Call) -> dict[str, Any]:
    """Job and task; Invalid without a file_path."""
    return task_of(call, by_path=False)


def is_probe(call: Call) -> bool:
    """Whether only the first byte is asked for: the web UI looks before it goes there."""
    return call.headers.get("range") == "bytes=0-0"


def first_byte(data: Any, _: Call) -> Answer:
    """The byte that every gzip file begins with."""
    only_task(data)
    headers = {"Content-Type": "application/gzip", "Content-Range": "bytes 0-0/*"}
    return Answer(206, b"\x1f", headers)


def packed(data: Any, call: Call) -> Answer:
    """`logs/olake.log` as JSON lines and `state.json`, at most 100,000 lines."""
    task = only_task(data)
    log = b"".join(orjson.dumps(shown_line(line)) + b"\n" for line in _lines(task))
    state = orjson.dumps((task["job"] or {}).get("state") or {})
    stamp = moment(task["createdAt"]).replace(":", "-").rstrip("Z")
    name = f"job-{path_number(call)}-logs-{stamp}.tar.gz"
    headers = {
        "Content-Type": "application/gzip",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-cache",
    }
    return Answer(200, _tar({"logs/olake.log": log, "state.json": state}), headers)


def _lines(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in range(PARTS):
        for line in task[f"l{part}"]["nodes"]:
            if line["level"] in LEVELS:
                yield line


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=3) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
