"""What an import would change, and how that reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from app.cli.mage_project import yaml_text
from app.cli.mage_project.model import MageProject
from app.pipelines.actions.files import FileText
from app.pipelines.actions.whole import Parts, Values, WholePipeline, WholeProject

STATE = ("created_at", "status")
"""What pipelines and blocks have that changes by itself."""


@dataclass(frozen=True)
class Difference:
    """What to write, how it reads, and what only Isthmus has and keeps."""

    whole: WholeProject
    lines: Sequence[str]
    extra: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.lines


def compare(wanted: MageProject, present: MageProject, *, prune: bool, paused: bool) -> Difference:
    """The difference between a folder and the database. With `paused` triggers come switched off."""
    pipelines = {
        uuid: _paused(pipeline, present.pipelines.get(uuid)) if paused else pipeline
        for uuid, pipeline in wanted.pipelines.items()
    }
    told = {
        uuid: list(_pipeline_lines(uuid, pipeline, present.pipelines.get(uuid)))
        for uuid, pipeline in pipelines.items()
    }
    files = _changed_files(wanted, present)
    extra = _extra(pipelines, wanted, present)
    pruned = {uuid for uuid, _ in (*extra.blocks, *extra.triggers)} if prune else set()
    whole = WholeProject(
        folder=wanted.folder,
        pipelines={u: p for u, p in pipelines.items() if told[u] or u in pruned},
        files=files,
        dropped=extra if prune else Parts(),
    )
    lines = [*_folder_lines(wanted, present), *(line for part in told.values() for line in part)]
    for path, file in files.items():
        lines += _file_lines(path, file, present.files.get(path))
    named = _extra_lines(extra)
    if prune:
        return Difference(whole, [*lines, *(f"  - {line}" for line in named)], ())
    return Difference(whole, lines, named)


def _extra(
    pipelines: Mapping[str, WholePipeline], wanted: MageProject, present: MageProject
) -> Parts:
    both = [(u, p, present.pipelines[u]) for u, p in pipelines.items() if u in present.pipelines]
    return Parts(
        pipelines=[uuid for uuid in present.pipelines if uuid not in pipelines],
        blocks=[(u, name) for u, p, b in both for name in b.blocks if name not in p.blocks],
        triggers=[(u, name) for u, p, b in both for name in b.triggers if name not in p.triggers],
        files=[path for path in present.files if path not in wanted.files],
    )


def _extra_lines(extra: Parts) -> list[str]:
    return [
        *(f"pipeline {uuid}" for uuid in extra.pipelines),
        *(f"block {name} of pipeline {uuid}" for uuid, name in extra.blocks),
        *(f"trigger {name} of pipeline {uuid}" for uuid, name in extra.triggers),
        *(f"file {path}" for path in extra.files),
    ]


def _folder_lines(wanted: MageProject, present: MageProject) -> Iterator[str]:
    if wanted.folder is not None and wanted.folder != present.folder:
        yield f"  ~ the project's folder is {wanted.folder} (was {present.folder})"


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
    told = list(_values_lines(pipeline.values, before.values, STATE))
    kept = [name for name in pipeline.blocks if name in before.blocks]
    if kept != [name for name in before.blocks if name in pipeline.blocks]:
        told.append("      the order of its blocks")
    for name, block in pipeline.blocks.items():
        told += _part_lines(f"block {name}", block, before.blocks.get(name), STATE)
    for name, trigger in pipeline.triggers.items():
        told += _part_lines(f"trigger {name}", trigger, before.triggers.get(name), ())
    if told:
        yield f"  ~ pipeline {uuid}"
        yield from told


def _part_lines(
    what: str, values: Values, before: Values | None, state: tuple[str, ...]
) -> Iterator[str]:
    if before is None:
        yield f"    + {what}"
        return
    told = list(_values_lines(values, before, state))
    if told:
        yield f"    ~ {what}"
        yield from told


def _values_lines(values: Values, before: Values, state: tuple[str, ...]) -> Iterator[str]:
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
