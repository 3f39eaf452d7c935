"""`isthmus model`: a semantic model as a folder of files, checked here, pushed to and pulled from a server."""

from pathlib import Path
from typing import Any

from app.cli._client import Graph, Refused
from app.semantic.model import ModelErrors, load

SUFFIXES = (".yml", ".yaml", ".sql", ".jinja")
PUSH = """mutation($input: SemanticModelCreateInput!) { semanticModelCreate(input: $input) {
  model { version } errors { message } } }"""
PULL = "query($project: ID) { semanticModel(projectId: $project) { version files } }"
PROJECT = "query($uuid: String!) { project(by: {uuid: $uuid}) { id } }"


class BadFolder(Exception):
    """A folder that holds no model, or a file that cannot be read or written."""


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of a model's files by their paths in the folder."""
    if not folder.is_dir():
        raise BadFolder(f"{folder} is no folder.")
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in SUFFIXES and path.is_file() and not name.startswith("."):
            try:
                found[name] = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise BadFolder(f"{name} cannot be read: {type(error).__name__}.") from error
    if not found:
        raise BadFolder(f"{folder} has no files of a model ({', '.join(SUFFIXES)}).")
    return found


def check(folder: Path) -> list[str]:
    """What is wrong with the model in a folder, a line each; its SQL is read as PostgreSQL's."""
    try:
        load(read_folder(folder))
    except ModelErrors as error:
        return [str(one) for one in error.errors]
    return []


async def push(graph: Graph, folder: Path, project: str, note: str) -> str:
    """Make a version of the files; Refused with all that is wrong with them."""
    given = {"files": read_folder(folder), "note": note, "projectId": await _id(graph, project)}
    made = (await graph.ask(PUSH, input=given))["semanticModelCreate"]
    if made["errors"]:
        raise Refused("\n".join(error["message"] for error in made["errors"]))
    return f"Version {made['model']['version']} is served."


async def pull(graph: Graph, folder: Path, project: str) -> str:
    """Write the files of the version that is served; files that it has not stay."""
    found = (await graph.ask(PULL, project=await _id(graph, project)))["semanticModel"]
    if found is None:
        raise Refused("There is no model, or the key may not read it.")
    for name, text in found["files"].items():
        _write(folder, name, text)
    return f"Version {found['version']}: {len(found['files'])} files are in {folder}."


def _write(folder: Path, name: str, text: str) -> None:
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise Refused(f"The server names a file that does not lie in the folder: {name!r}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise BadFolder(f"{path} cannot be written: {error.strerror}.") from error


async def _id(graph: Graph, uuid: str) -> Any:
    if not uuid:
        return None
    found = (await graph.ask(PROJECT, uuid=uuid))["project"]
    if found is None:
        raise Refused(f"There is no project {uuid!r}, or the key may not see it.")
    return found["id"]
