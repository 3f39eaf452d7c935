"""Jinja templates of a model's files, filled in by a process that may only take so much.

A template can loop and multiply without end, and its author need not be trusted with the server. This
file is also that process's program: it imports nothing of ours.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Mapping

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

MAX_TEXT = 1024 * 1024
MEMORY_BYTES = 512 * 1024**2
CPU_S = 3
WAIT_S = 20
_LATE = "its templates take too much time or memory"


def fill_in(texts: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """For each path `{"text"}`, or `{"error", "line"}`; `load_sql` stays a mark, so lines stay lines."""
    lines = "".join(json.dumps([path, text]) + "\n" for path, text in texts.items())
    command = [sys.executable, "-I", __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    ) as process:
        try:
            told, _ = process.communicate(lines.encode(), WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            told, _ = process.communicate()
    whole = told.decode().split("\n")[:-1]
    found = dict(json.loads(line) for line in whole)
    return {path: found.get(path, {"error": _LATE, "line": 1}) for path in texts}


def _filled(text: str) -> dict[str, object]:
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.globals = {
        "load_sql": lambda name: f"load_sql({name})",
        "range": environment.globals["range"],
    }
    parts, size = [], 0
    try:
        for part in environment.from_string(text).generate():
            size += len(part)
            if size > MAX_TEXT:
                words = f"this cannot be read: its templates make more than {MAX_TEXT} characters"
                return {"error": words, "line": 1}
            parts.append(part)
    except TemplateError as error:
        line = getattr(error, "lineno", None) or 1
        return {"error": f"template: {error}", "line": line}
    except MemoryError:
        return {"error": _LATE, "line": 1}
    except Exception as error:
        return {"error": f"this cannot be read: {error}", "line": 1}
    return {"text": "".join(parts)}


def _serve() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        path, text = json.loads(line)
        print(json.dumps([path, _filled(text)]), flush=True)


if __name__ == "__main__":
    _serve()
