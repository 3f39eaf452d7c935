"""`isthmus import mage` and `isthmus export mage`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from app.cli.mage_project import disk
from app.cli.mage_project.difference import Difference, compare
from app.cli.mage_project.folder import folder_texts, read_folder
from app.cli.mage_project.model import MageProject, Remarks
from app.cli.mage_project.stored import find_project, read_stored, secret_names
from app.core.crypto import SecretError
from app.core.errors import Invalid
from app.core.rules import SYSTEM
from app.pipelines.actions.whole import write_project
from app.projects.actions import is_folder_name

_SECRET_USED = re.compile(r"(?:get_secret_value|mage_secret_var)\(\s*['\"]([^'\"]+)['\"]")
_VARIABLE_USED = re.compile(r"env_var\(\s*['\"]([^'\"]+)['\"]")

Say = Callable[[str], None]
Ask = Callable[[str], bool]


@dataclass(frozen=True)
class ImportOptions:
    """How to import. `project` is a uuid, empty for the first one.

    `folder` is the name that blocks import the project under; empty keeps the one that it has,
    and gives a project that has none that of the folder on disk.
    """

    project: str = ""
    folder: str = ""
    dry_run: bool = False
    prune: bool = False
    paused: bool = False
    secret: tuple[str, ...] = ()


async def import_mage(root: Path, options: ImportOptions, say: Say, ask: Ask) -> None:
    """Bring a project to the state of a folder; says first what that changes, and asks."""
    remarks = Remarks()
    wanted = read_folder(root, options.secret, remarks)
    project = await find_project(options.project)
    present = await _stored(project)
    folder = options.folder or present.folder or _name(root, remarks)
    wanted = MageProject(folder, wanted.pipelines, wanted.files)
    difference = compare(wanted, present, prune=options.prune, paused=options.paused)
    missing = _used(wanted, _SECRET_USED) - await secret_names(project)
    _tell_of_surroundings(wanted, missing, remarks)
    say(f"{root} -> project {project['uuid']}")
    _tell(difference, remarks, say)
    if options.prune and remarks.has_refused:
        raise Invalid(
            "--prune would delete what could not be read. Correct what is not taken first."
        )
    if difference.is_empty or options.dry_run:
        say("Nothing to do." if difference.is_empty else "Nothing was changed (--dry-run).")
        return
    if not ask("Write this?"):
        say("Nothing was changed.")
        return
    await write_project(SYSTEM, project["id"], difference.whole)
    say("Done.")


async def export_mage(root: Path, project_uuid: str, say: Say, ask: Ask) -> None:
    """Write a project as a Mage folder; files that Isthmus does not know stay as they are."""
    remarks = Remarks()
    project = await find_project(project_uuid)
    stored = await _stored(project)
    texts = folder_texts(stored, remarks)
    _tell_of_triggers(stored, remarks)
    changed = disk.changed_texts(root, {path: file.content for path, file in texts.items()})
    say(f"project {project['uuid']} -> {root}")
    for path, is_new in sorted(changed.items()):
        say(f"  {'+' if is_new else '~'} {path}")
    say(remarks.text())
    if not changed:
        say("Nothing to do.")
        return
    if not disk.is_empty(root) and not ask("Write these files?"):
        say("Nothing was changed.")
        return
    for path in changed:
        disk.write_text(root, path, texts[path].content, private=bool(texts[path].is_secret))
    say("Done.")


async def _stored(project: object) -> MageProject:
    try:
        return await read_stored(project)  # type: ignore[arg-type]
    except SecretError as error:
        raise Invalid(f"A secret file of the project does not open: {error}") from error


def _name(root: Path, remarks: Remarks) -> str | None:
    if is_folder_name(root.name):
        return root.name
    remarks.notes.append(f"Code cannot be imported from {root.name!r}: name it with --folder.")
    return None


def _tell(difference: Difference, remarks: Remarks, say: Say) -> None:
    for line in difference.lines:
        say(line)
    if difference.extra:
        say("Only in Isthmus, and kept (--prune deletes):")
        for line in difference.extra:
            say(f"  {line}")
    say(remarks.text())


def _tell_of_surroundings(wanted: MageProject, missing: Iterable[str], remarks: Remarks) -> None:
    remarks.notes.append(
        "Mage keeps secrets in its own database, not in the folder; set them again here."
    )
    if missing:
        remarks.notes.append(
            f"Secrets that are asked for and not set: {', '.join(sorted(missing))}"
        )
    variables = _used(wanted, _VARIABLE_USED)
    if variables:
        remarks.notes.append(
            "Environment variables that are asked for; ISTHMUS_BLOCK_ENV of the workers names "
            f"those that blocks see: {', '.join(sorted(variables))}"
        )
    if "requirements.txt" in wanted.files:
        remarks.notes.append(
            "requirements.txt: start workers with `isthmus worker --install`, or install it there."
        )


def _tell_of_triggers(stored: MageProject, remarks: Remarks) -> None:
    for uuid, pipeline in stored.pipelines.items():
        for name, trigger in pipeline.triggers.items():
            if trigger["timezone"] != "UTC":
                zone = trigger["timezone"]
                remarks.notes.append(f"pipeline {uuid}, trigger {name}: {zone}; Mage reads UTC.")
            if trigger["event_matchers"]:
                remarks.not_taken.append(f"pipeline {uuid}, trigger {name}: its event matchers")


def _used(project: MageProject, pattern: re.Pattern[str]) -> set[str]:
    texts = [file.content for file in project.files.values()]
    for pipeline in project.pipelines.values():
        texts += [block["content"] for block in pipeline.blocks.values()]
    return {name for text in texts for name in pattern.findall(text)}
