"""A Mage project folder as a project, and a project as the texts of such a folder."""

import re
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from app.cli.mage_project import pipeline_yaml, trigger_yaml, yaml_text
from app.cli.mage_project.disk import is_secret, read_texts
from app.cli.mage_project.model import MageProject, Remarks
from app.core.errors import Invalid
from app.pipelines.actions.files import FileText
from app.pipelines.actions.whole import Values, WholePipeline
from app.pipelines.paths import block_path, fault_of_path

SETTINGS = "metadata.yaml"
WITHOUT_CODE = ("global_data_product",)
_FILE = re.compile(r"pipelines/([^/]+)/(metadata|triggers)\.yaml")


def read_folder(root: Path, more_secret: Iterable[str], remarks: Remarks) -> MageProject:
    """The project in a folder; Invalid where it is no Mage project."""
    if not (root / SETTINGS).is_file() or not (root / "pipelines").is_dir():
        raise Invalid(f"{root} is no Mage project: it has no {SETTINGS} or no folder pipelines.")
    texts = read_texts(root, remarks)
    defaults = project_defaults(texts)
    pipelines, used = {}, {path for path in texts if _FILE.fullmatch(path)}
    for path in sorted(used):
        uuid = path.split("/")[1]
        if not path.endswith("/metadata.yaml"):
            continue
        try:
            pipelines[uuid] = _pipeline(uuid, texts, defaults, used, remarks)
        except Invalid as error:
            remarks.refuse(f"pipeline {uuid}", error)
    files = {
        path: FileText(text, is_secret(path, more_secret))
        for path, text in texts.items()
        if path not in used
    }
    return MageProject(None, pipelines, files)


def project_defaults(texts: Mapping[str, str]) -> dict[str, Any]:
    """What the project's metadata.yaml sets for pipelines that say nothing themselves."""
    data = yaml_text.load(texts.get(SETTINGS, ""), SETTINGS)
    return {name: yaml_text.plain(data.get(name) or {}) for name in pipeline_yaml.DEFAULTS}


def _pipeline(
    uuid: str,
    texts: Mapping[str, str],
    defaults: Mapping[str, Any],
    used: set[str],
    remarks: Remarks,
) -> WholePipeline:
    own, triggers = f"pipelines/{uuid}/metadata.yaml", f"pipelines/{uuid}/triggers.yaml"
    found = pipeline_yaml.read(uuid, yaml_text.load(texts[own], own), defaults, remarks)
    blocks: dict[str, Values] = {}
    for name, block in found.blocks.items():
        path = next((p for p in _code_paths(name, block, found) if p in texts), None)
        if path is not None:
            blocks[name] = {**block, "content": texts[path]}
            # dbt reads its whole folder: what a dbt block names stays a file as well.
            used |= {path} if not path.startswith("dbt/") else set()
            continue
        blocks[name] = block
        if not block["content"] and block["type"] not in WITHOUT_CODE:
            remarks.notes.append(f"pipeline {uuid}, block {name}: its file is not there.")
    listed = yaml_text.load(texts.get(triggers, ""), triggers)
    return WholePipeline(found.values, blocks, trigger_yaml.read(uuid, listed, remarks))


def _code_paths(uuid: str, block: Values, pipeline: WholePipeline) -> list[str]:
    """Where a block's code may be, the likeliest place first."""
    named = named_path(block)
    copied = pipeline.blocks.get(block["configuration"].get("replicated_block", ""))
    # Some versions write paths from the folder above the project.
    paths = [] if named is None else [named, f"dbt/{named}", named.partition("/")[2]]
    if copied is not None:
        source = block["configuration"]["replicated_block"]
        paths += [named_path(copied) or block_path(copied["type"], copied["language"], source)]
    default = block_path(block["type"], block["language"], uuid)
    return [*paths, default, re.sub(r"\.yaml$", ".yml", default), uuid]


def named_path(block: Values) -> str | None:
    """The place of its code that a block's configuration names, if that is a path of ours."""
    configuration = block["configuration"]
    source = configuration.get("file_source")
    path = source.get("path") if isinstance(source, dict) else None
    path = path or configuration.get("file_path")
    return path if isinstance(path, str) and fault_of_path(path) is None else None


def folder_texts(project: MageProject, remarks: Remarks) -> dict[str, FileText]:
    """All files of the folder that Mage would have of a project, by path."""
    texts = dict(project.files)
    opened = {path: file.content for path, file in texts.items()}
    defaults = project_defaults(opened)
    for uuid, pipeline in sorted(project.pipelines.items()):
        placed = _place_code(uuid, pipeline, f"{project.folder}/", texts, remarks)
        own = f"pipelines/{uuid}"
        data = pipeline_yaml.write(uuid, placed, defaults)
        texts[f"{own}/metadata.yaml"] = FileText(yaml_text.dump(data), False)
        if pipeline.triggers:
            listed = yaml_text.dump(trigger_yaml.write(uuid, pipeline.triggers))
            texts[f"{own}/triggers.yaml"] = FileText(listed, True)
        # Mage imports pipelines as packages; a project that was not made by it lacks these.
        texts.setdefault(f"{own}/__init__.py", FileText("", False))
    texts.setdefault(SETTINGS, FileText("project_type: standalone\n", False))
    return texts


def _place_code(
    uuid: str,
    pipeline: WholePipeline,
    above: str,
    texts: dict[str, FileText],
    remarks: Remarks,
) -> WholePipeline:
    """The pipeline as its folder has it, after the code of its blocks was put into `texts`."""
    blocks = {
        name: block
        if _needs_no_file(block, pipeline)
        else _placed(uuid, name, block, above, texts, remarks)
        for name, block in pipeline.blocks.items()
    }
    return WholePipeline(pipeline.values, blocks, pipeline.triggers)


def _needs_no_file(block: Values, pipeline: WholePipeline) -> bool:
    copied = pipeline.blocks.get(block["configuration"].get("replicated_block", ""))
    is_copy = copied is not None and copied["content"] == block["content"]
    return is_copy or block["type"] in WITHOUT_CODE


def _placed(
    uuid: str,
    name: str,
    block: Values,
    above: str,
    texts: dict[str, FileText],
    remarks: Remarks,
) -> Values:
    """Put a block's code where Mage looks; where that file holds something else, beside it."""
    configuration = {k: v for k, v in block["configuration"].items() if k != "replicated_block"}
    path = named_path(block) or block_path(block["type"], block["language"], name)
    path = path.removeprefix(above)
    if path not in texts and f"dbt/{path}" in texts:
        path = f"dbt/{path}"
    if not _is_free(path, block, texts):
        own = (f"{uuid}/{name}" if n == 1 else f"{uuid}/{name}_{n}" for n in count(1))
        paths = (block_path(block["type"], block["language"], one) for one in own)
        path = next(one for one in paths if _is_free(one, block, texts))
        configuration |= {"file_path": path, "file_source": {"path": path}}
        remarks.notes.append(
            f"pipeline {uuid}, block {name}: its code differs from that of the same file "
            f"elsewhere, and is in {path}."
        )
    texts.setdefault(path, FileText(block["content"], False))
    return {**block, "configuration": configuration}


def _is_free(path: str, block: Values, texts: Mapping[str, FileText]) -> bool:
    return path not in texts or texts[path].content == block["content"]
