"""What runs inside a block's process: its limits, then the user's code, its tests, its outputs."""

import contextlib
import faulthandler
import fcntl
import importlib
import inspect
import linecache
import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from app.core.ids import slug
from app.core.protection import open_process
from workers.mage_shim import offer
from workers.pipelines import hand_over, os_guards
from workers.pipelines.block_channel import Channel, capture_output
from workers.pipelines.calls import BlockCall
from workers.pipelines.decorators import Decorated
from workers.pipelines.sql import block as sql_block
from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.values import UnsupportedValue

VALUE_TYPES = ("data_loader", "transformer", "data_exporter", "custom")
RUNNABLE_TYPES = (*VALUE_TYPES, "sensor", "conditional", "callback")
LANGUAGES = ("python", "sql")
NEVER_RUN_TYPES = ("markdown", "scratchpad")
DECORATORS = {"conditional": "condition"}
"""Types whose functions have a decorator of another name."""

_CHANNEL = 3
_OURS = ("app", "workers", "rest_compat")
_MAX_TRACEBACK = 64 * 1024
# Kept back from the memory limit, so that running out of memory can still be reported.
_REPORT_BYTES = 256 * 1024**2


class BlockFault(Exception):
    """A failure that is no exception of the user's code; `reason` as in BlockResult."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


def run_in_child(guardian: int, channel_fd: int, output_fd: int) -> NoReturn:
    """Become the block's process, run the call that comes over the channel, report, exit."""
    ended = 1
    try:
        channel = _isolate(guardian, channel_fd, output_fd)
        call = BlockCall.from_json(channel.receive())
        channel.limit_log(call.log_bytes)
        streams = capture_output(channel)
        own_pid = os.getpid()
        report = run_call(call, channel.log)
        if os.getpid() == own_pid:
            for stream in streams:
                stream.finish()
            channel.send({"result": report})
            ended = 0
    except BaseException:
        # Without a report the worker sees that the process ended, and tells so.
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(ended)


def run_call(call: BlockCall, log: Callable[[str, str], None]) -> dict[str, Any]:
    """Run the block's code and say how it went: the fields of a BlockResult but its metrics."""
    report: dict[str, Any] = {"ok": False, "outputs": []}
    try:
        _settle(call)
        _run(call, log, report)
    except BaseException as error:
        _allow_report(call.memory_bytes)
        return {**report, **_described(error, call)}
    return {**report, "ok": True}


def _isolate(guardian: int, channel_fd: int, output_fd: int) -> Channel:
    os.setsid()
    os_guards.die_with_parent(guardian)
    open_process()
    # Copies first: the numbers given may themselves be among 0 to 3.
    channel_fd = fcntl.fcntl(channel_fd, fcntl.F_DUPFD, 10)
    output_fd = fcntl.fcntl(output_fd, fcntl.F_DUPFD, 10)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.dup2(channel_fd, _CHANNEL, inheritable=False)
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(file=2)
    return Channel(socket.socket(fileno=_CHANNEL))


def _settle(call: BlockCall) -> None:
    """Take over environment, folder, import path and limits of the call."""
    os.environ.clear()
    os.environ.update({"PATH": os.defpath, "HOME": str(call.work_dir), "LANG": "C.UTF-8"})
    os.environ.update(call.env)
    call.work_dir.mkdir(parents=True, exist_ok=True)
    call.output_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(call.work_dir)
    sys.argv = [call.block_uuid]
    # Projects import their own modules as `utils.x`, and as `<project>.utils.x`.
    sys.path[:0] = [str(call.work_dir), str(call.work_dir.parent)]
    # Our package names are likely names of the user's own modules. What we need is loaded.
    for name in _OUR_MODULES or our_modules():
        _KEPT.append(sys.modules.pop(name))
    importlib.invalidate_caches()
    random = sys.modules.get("numpy.random")
    if random is not None:
        # Seeded once in the fork server, it would give every block the same numbers.
        random.seed()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, call.open_files)
    _limit(resource.RLIMIT_AS, _address_space() + call.memory_bytes, _REPORT_BYTES)


_KEPT: list[ModuleType] = []
_OUR_MODULES: list[str] = []


def our_modules() -> list[str]:
    """Names of our own modules that are loaded."""
    return [name for name in sys.modules if name.partition(".")[0] in _OURS]


def remember_modules() -> None:
    """Look for our modules once, in the fork server, and not in each block."""
    _OUR_MODULES[:] = our_modules()


def _address_space() -> int:
    """Bytes of address space that the bare interpreter and its libraries take already."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _limit(kind: int, soft: int, reserve: int = 0) -> None:
    _, hard = resource.getrlimit(kind)
    wanted = soft + reserve
    if hard != resource.RLIM_INFINITY:
        soft, wanted = min(soft, hard), min(wanted, hard)
    # Not every system knows every limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, wanted))


def _allow_report(memory_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _run(call: BlockCall, log: Callable[[str, str], None], report: dict[str, Any]) -> None:
    _check_runnable(call)
    if call.language == "sql":
        _store(call, _run_sql(call, log), report)
        return
    decorated = Decorated()
    offer.install(call, decorated.decorators)
    inputs = [hand_over.read_input(upstream, call.storage) for upstream in call.inputs]
    _execute(call, decorated)
    if call.block_type == "callback":
        _call_back(call, decorated, inputs)
        return
    name = DECORATORS.get(call.block_type, call.block_type)
    functions = decorated.functions(name)
    if not functions:
        raise BlockFault(
            f"Block {call.block_uuid} does not have any decorated functions. Make sure that a "
            f"function in the block is decorated with @{name}."
        )
    kwargs = _kwargs(call)
    if call.block_type in VALUE_TYPES:
        value = _call_block(call, functions[0], inputs, kwargs)
        _store(call, value, report)
        _run_tests(call, log, decorated.functions("test"), value, kwargs)
    else:
        said = [bool(_call_block(call, function, inputs, kwargs)) for function in functions]
        report["verdict"] = all(said)


def _store(call: BlockCall, value: Any, report: dict[str, Any]) -> None:
    try:
        stored = hand_over.write_outputs(value, call.output_dir, call.storage)
    except UnsupportedValue as error:
        raise BlockFault(f"Block {call.block_uuid}: {error}", "unsupported") from None
    report["outputs"] = [vars(output) for output in stored]
    if call.configuration.get("dynamic"):
        report["items"] = _item_keys(call, value)


def _item_keys(call: BlockCall, value: Any) -> list[str]:
    """A key for each item of `[items, metadata]`: the metadata's `block_uuid`, or the position."""
    items: Any = value[0] if isinstance(value, (list, tuple)) and value else None
    if not isinstance(items, list) and not hasattr(items, "iloc"):
        raise BlockFault(
            f"Dynamic block {call.block_uuid} must return a list of items, or a data frame, inside a "
            "list: [items], or [items, metadata].",
            "dynamic",
        )
    about = value[1] if len(value) > 1 and isinstance(value[1], list) else []
    keys: list[str] = []
    for position in range(len(items)):
        own = about[position] if position < len(about) else None
        named = own.get("block_uuid") if isinstance(own, dict) else None
        key = slug(str(named))[:200] if named else str(position)
        keys.append(f"{key}_{position}" if key in keys else key)
    return keys


def _call_back(call: BlockCall, decorated: Decorated, inputs: list[Any]) -> None:
    """Call what is meant for the event with the parent's data; parents that failed have none."""
    kwargs = _kwargs(call)
    kwargs["pipeline_run"] = SimpleNamespace(**kwargs.get("pipeline_run", {}))
    if "__error" in kwargs:
        kwargs["__error"] = Exception(kwargs["__error"])
    for function in decorated.callbacks(call.event or "success"):
        parameters = inspect.signature(function).parameters
        takes = any(p.kind in (p.POSITIONAL_ONLY, _EITHER) for p in parameters.values())
        takes = takes or _has(parameters, inspect.Parameter.VAR_POSITIONAL)
        data = inputs[0] if inputs else None
        _call_block(call, function, [data] if takes else [], kwargs)


def _run_sql(call: BlockCall, log: Callable[[str, str], None]) -> Any:
    try:
        return sql_block.run(call, _kwargs(call), log)
    except SqlFault as error:
        raise BlockFault(str(error), error.reason) from None


def _check_runnable(call: BlockCall) -> None:
    if call.block_type in NEVER_RUN_TYPES:
        raise BlockFault(f"Blocks of type {call.block_type} are never run.", "unsupported")
    if call.block_type not in RUNNABLE_TYPES:
        raise BlockFault(
            f"Blocks of type {call.block_type} are not supported yet. Supported types: "
            f"{', '.join(RUNNABLE_TYPES)}.",
            "unsupported",
        )
    languages = LANGUAGES if call.block_type in VALUE_TYPES else ("python",)
    if call.language not in languages:
        raise BlockFault(
            f"Blocks of language {call.language} are not supported. "
            f"Supported: {', '.join(languages)}.",
            "unsupported",
        )


def _file_name(call: BlockCall) -> str:
    return f"<block {call.block_uuid}>"


def _execute(call: BlockCall, decorated: Decorated) -> None:
    name = _file_name(call)
    lines = call.content.splitlines(keepends=True)
    # So that tracebacks can show the lines of code.
    linecache.cache[name] = (len(call.content), None, lines, name)
    module = ModuleType(f"block_{call.block_uuid}")
    # A module of record, so that classes and functions of the block can be pickled by name.
    sys.modules[module.__name__] = module
    vars(module).update(decorated.decorators)
    exec(compile(call.content, name, "exec", dont_inherit=True), vars(module))


def _kwargs(call: BlockCall) -> dict[str, Any]:
    kwargs: dict[str, Any] = {
        "context": {},
        "event": {},
        "repo_path": str(call.work_dir),
        **call.kwargs,
        "block_uuid": call.block_uuid,
        "configuration": dict(call.configuration),
        "logger": logging.getLogger(f"block.{call.block_uuid}"),
    }
    for upstream in call.inputs:
        # As variables do, what an item brings along fills only names that are free.
        for name, value in hand_over.read_item_metadata(upstream, call.storage).items():
            kwargs.setdefault(name, value)
    if call.execution_date is not None:
        kwargs["execution_date"] = call.execution_date
        kwargs["ds"] = call.execution_date.strftime("%Y-%m-%d")
        kwargs["hr"] = call.execution_date.strftime("%H")
    return kwargs


def _call_block(
    call: BlockCall, function: Callable[..., Any], inputs: list[Any], kwargs: dict[str, Any]
) -> Any:
    """Upstream values by position; variables by name, all of them to a function with **kwargs."""
    parameters = inspect.signature(function).parameters
    places = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, _EITHER)]
    given = _by_name(parameters, len(inputs), kwargs)
    if len(inputs) > len(places) and not _has(parameters, inspect.Parameter.VAR_POSITIONAL):
        raise BlockFault(
            f"Block {call.block_uuid} may have too many upstream dependencies. It expected to "
            f"have {len(places)} arguments, but received {len(inputs)}. Confirm that the "
            f"@{call.block_type} method declaration has the correct number of arguments."
        )
    needed = [p for p in places[len(inputs) :] if p.default is p.empty and p.name not in given]
    if needed:
        raise BlockFault(
            f"Block {call.block_uuid} may be missing upstream dependencies. It expected to have "
            f"{len(inputs) + len(needed)} arguments, but only received {len(inputs)}. Confirm "
            f"that the @{call.block_type} method declaration has the correct number of arguments."
        )
    return function(*inputs, **given)


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _has(parameters: Mapping[str, inspect.Parameter], kind: Any) -> bool:
    return any(parameter.kind is kind for parameter in parameters.values())


def _by_name(
    parameters: Mapping[str, inspect.Parameter], positional: int, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The variables that a function takes by name, less those whose place an input has taken."""
    places = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, _EITHER)]
    nameable = {p.name for p in parameters.values() if p.kind in (_EITHER, p.KEYWORD_ONLY)} - set(
        places[:positional]
    )
    if _has(parameters, inspect.Parameter.VAR_KEYWORD):
        return {name: kwargs[name] for name in kwargs if name not in places or name in nameable}
    return {name: kwargs[name] for name in kwargs if name in nameable}


def _run_tests(
    call: BlockCall,
    log: Callable[[str, str], None],
    functions: list[Callable[..., Any]],
    value: Any,
    kwargs: dict[str, Any],
) -> None:
    """Call each test with the items of a list output as separate arguments."""
    arguments = list(value) if isinstance(value, (list, tuple)) else [value]
    passed = 0
    for function in functions:
        parameters = inspect.signature(function).parameters
        takes_all = _has(parameters, inspect.Parameter.VAR_KEYWORD)
        given = _by_name(parameters, len(arguments), kwargs) if takes_all else {}
        try:
            function(*arguments, **given)
            passed += 1
        except AssertionError as error:
            log("ERROR", f"FAIL: {function.__name__} (block: {call.block_uuid})")
            log("ERROR", _traceback(error, _file_name(call)))
    if functions:
        log("INFO", f"{passed}/{len(functions)} tests passed.")
    if passed < len(functions):
        raise BlockFault(f"Failed to pass tests for block {call.block_uuid}", "tests")


def _described(error: BaseException, call: BlockCall) -> dict[str, Any]:
    if isinstance(error, BlockFault):
        return {"error_type": "BlockError", "error": str(error), "reason": error.reason}
    kind = type(error)
    name = kind.__qualname__
    try:
        message = str(error) or name
        if isinstance(error, SystemExit):
            message = f"The code ended itself with sys.exit({message})."
    except Exception:
        message = name
    return {
        "error_type": name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}",
        "error": message[:_MAX_TRACEBACK],
        "traceback": _traceback(error, _file_name(call)),
        "reason": "memory" if isinstance(error, MemoryError) else None,
    }


def _traceback(error: BaseException, file_name: str) -> str:
    """The traceback from the user's first frame on: our own frames say nothing to them."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != file_name:
        trace = trace.tb_next
    lines = traceback.TracebackException(type(error), error, trace, compact=True).format()
    text = "".join(lines).rstrip()
    if len(text) <= _MAX_TRACEBACK:
        return text
    half = _MAX_TRACEBACK // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"
