"""What an import would change, and how that reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any

from app.cli.mage_project import yaml_text
from app.cli.mage_project.model import MageProject
from app.pipelines.actions.files import FileText
from app.pipelines.actions.whole import Values, WholePipeline, WholeProject

STATE = ("created_at", "status", "last_enabled_at")
"""What changes by itself while pipelines run; the status of a trigger is no such thing."""


@dataclass
class Difference:
    """What to write, how it reads, and what only Isthmus has."""

    whole: WholeProject
    lines: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.lines


def compare(wanted: MageProject, present: MageProject, *, prune: bool, paused: bool) -> Difference:
    """The difference between a folder and the database. With `paused` triggers come switched off."""
    lines: list[str] = []
    if wanted.folder is not None and wanted.folder != present.folder:
        lines.append(f"  ~ the project's folder is {wanted.folder} (was {present.folder})")
    changed = {}
    dropped_blocks: list[tuple[str, str]] = []
    dropped_triggers: list[tuple[str, str]] = []
    for uuid, pipeline in wanted.pipelines.items():
        before = present.pipelines.get(uuid)
        whole = _paused(pipeline, before) if paused else pipeline
        told = list(_pipeline_lines(uuid, whole, before))
        extra_blocks = _only_in(before.blocks if before else {}, whole.blocks)
        extra_triggers = _only_in(before.triggers if before else {}, whole.triggers)
        dropped_blocks += [(uuid, name) for name in extra_blocks]
        dropped_triggers += [(uuid, name) for name in extra_triggers]
        if told or (prune and (extra_blocks or extra_triggers)):
            changed[uuid] = whole
            lines += told
    files = _changed_files(wanted, present)
    for path, file in files.items():
        lines += _file_lines(path, file, present.files.get(path))
    gone = _only_in(present.pipelines, wanted.pipelines)
    unused = _only_in(present.files, wanted.files)
    extra = [f"pipeline {uuid}" for uuid in gone]
    extra += [f"block {name} of pipeline {uuid}" for uuid, name in dropped_blocks]
    extra += [f"trigger {name} of pipeline {uuid}" for uuid, name in dropped_triggers]
    extra += [f"file {path}" for path in unused]
    whole_project = WholeProject(folder=wanted.folder, pipelines=changed, files=files)
    if not prune:
        return Difference(whole_project, lines, extra)
    pruned = WholeProject(
        folder=wanted.folder,
        pipelines=changed,
        files=files,
        dropped_pipelines=gone,
        dropped_blocks=dropped_blocks,
        dropped_triggers=dropped_triggers,
        dropped_files=unused,
    )
    return Difference(pruned, [*lines, *(f"  - {line}" for line in extra)])


def _only_in(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return [name for name in present if name not in wanted]


def _paused(pipeline: WholePipeline, before: WholePipeline | None) -> WholePipeline:
    """The same with new triggers off, and others as they are."""
    held = before.triggers if before else {}
    triggers = {
        name: {**values, "status": held.get(name, {"status": "inactive"})["status"]}
        for name, values in pipeline.triggers.items()
    }
    return WholePipeline(pipeline.values, pipeline.blocks, triggers)


def _changed_files(wanted: MageProject, present: MageProject) -> dict[str, FileText]:
    changed = {}
    for path, file in wanted.files.items():
        before = present.files.get(path)
        # What is sealed stays so.
        kept = FileText(file.content, bool(file.is_secret or (before and before.is_secret)))
        if before != kept:
            changed[path] = kept
    return changed


def _file_lines(path: str, file: FileText, before: FileText | None) -> Iterator[str]:
    if before is None:
        yield f"  + file {path}" + (" (secret)" if file.is_secret else "")
    elif file.is_secret:
        sealed = "is secret now" if not before.is_secret else "secret, not shown"
        yield f"  ~ file {path} ({sealed})"
    else:
        yield f"  ~ file {path}"
        yield from _diff(before.content, file.content)


def _pipeline_lines(
    uuid: str, pipeline: WholePipeline, before: WholePipeline | None
) -> Iterator[str]:
    if before is None:
        counts = f"{len(pipeline.blocks)} blocks, {len(pipeline.triggers)} triggers"
        yield f"  + pipeline {uuid} ({counts})"
        return
    told = list(_values_lines("", pipeline.values, before.values, STATE))
    if list(pipeline.blocks) != [name for name in before.blocks if name in pipeline.blocks]:
        told.append("      the order of its blocks")
    for name, block in pipeline.blocks.items():
        told += _part_lines(f"block {name}", block, before.blocks.get(name), STATE)
    for name, trigger in pipeline.triggers.items():
        told += _part_lines(f"trigger {name}", trigger, before.triggers.get(name), STATE[2:])
    if told:
        yield f"  ~ pipeline {uuid}"
        yield from told


def _part_lines(
    what: str, values: Values, before: Values | None, state: tuple[str, ...]
) -> Iterator[str]:
    if before is None:
        yield f"    + {what}"
        return
    told = list(_values_lines(what, values, before, state))
    if told:
        yield f"    ~ {what}"
        yield from told


def _values_lines(
    what: str, values: Values, before: Values, state: tuple[str, ...]
) -> Iterator[str]:
    for name, value in values.items():
        if name in state or value == before.get(name):
            continue
        if name == "token":
            yield "      token"
        elif name == "content":
            yield from _diff(before[name], value)
        else:
            yield from _diff(
                yaml_text.dump({name: before.get(name)}), yaml_text.dump({name: value})
            )


def _diff(before: str, after: str) -> list[str]:
    lines = list(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    # Two texts may differ in nothing but their line ends.
    return [f"      {line}" for line in lines] or ["      (only in white space at line ends)"]
