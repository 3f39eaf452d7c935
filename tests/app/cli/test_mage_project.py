"""A Mage project folder goes in, comes out, and goes in again."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select, update
from starlette.applications import Starlette

from app.cli.mage_project import commands
from app.core import db
from app.core.audit import audit_log
from app.core.errors import Invalid, NotFound
from app.core.rules import SYSTEM
from app.pipelines.actions.files import FILE_BYTES
from app.pipelines.actions.triggers import create_trigger
from app.pipelines.tables import blocks, pipelines, project_files, triggers
from tests.factories import rows
from tests.house.places import ROOT

FOLDERS = sorted(path.parent for path in (ROOT / "tests/data/mage").glob("*/metadata.yaml"))
SMALL = ROOT / "tests/data/mage/small"
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def project(app: Starlette) -> str:
    """Uuid of an empty project."""
    return str((await rows.values_of(rows.projects, await rows.project()))["uuid"])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the small project, to change."""
    copied = tmp_path / "small"
    shutil.copytree(SMALL, copied)
    return copied


def always(_: str) -> bool:
    """The answer of who is sure."""
    return True


async def take(root: Path, project: str, **options: Any) -> str:
    """What an import says."""
    said: list[str] = []
    given = commands.ImportOptions(project=project, **options)
    await commands.import_mage(root, given, said.append, always)
    return "\n".join(said)


def moved(folder: Path, name: str) -> Path:
    """The same folder under another name."""
    return folder.rename(folder.with_name(name))


async def give(folder: Path, project: str) -> str:
    """What an export says."""
    said: list[str] = []
    await commands.export_mage(folder, project, said.append, always)
    return "\n".join(said)


async def stored(table: Any, project: str) -> list[dict[str, Any]]:
    """A project's rows of a table."""
    own = select(rows.projects.c.id).where(rows.projects.c.uuid == project).scalar_subquery()
    async with db.reading() as connection:
        found = await connection.execute(
            select(table).where(table.c.project_id == own).order_by(table.c.id)
        )
        return [dict(row) for row in found.mappings()]


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def taken(path: str, content: bytes) -> Any:
    """What an export must give back: YAML of pipelines by value, less state; else the bytes."""
    name = path.rpartition("/")[2]
    if not path.startswith("pipelines/") or name not in ("metadata.yaml", "triggers.yaml"):
        return content
    data = yaml.safe_load(content)
    if name == "triggers.yaml":
        return {trigger["name"]: _trigger(trigger) for trigger in data["triggers"]}
    data.pop("variables_dir", None)
    data["created_at"] = None
    for listed in ("blocks", "callbacks", "conditionals", "widgets"):
        data[listed] = [_block(block) for block in data.get(listed) or []]
    flags = {"cache_block_output_in_memory": False, "run_pipeline_in_one_process": False}
    data = {**flags, "executor_count": 1, "settings": {"triggers": None}, **data}
    return {key: value for key, value in data.items() if value not in (None, {}, [])}


def _trigger(trigger: Mapping[str, Any]) -> dict[str, Any]:
    state = ("last_enabled_at", "token") if trigger.get("token") != TOKEN else ("last_enabled_at",)
    return {k: v for k, v in trigger.items() if k not in state and v is not None}


def _block(block: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {"executor_type": "local_python", "has_callback": False, "language": "python"}
    state = ("all_upstream_blocks_executed", "status")
    block = {**defaults, **block, "downstream_blocks": sorted(block.get("downstream_blocks") or [])}
    return {k: v for k, v in block.items() if k not in state and v not in (None, {})}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_in_out_and_in_again_is_no_difference(
    folder: Path, project: str, tmp_path: Path
) -> None:
    assert (await take(folder, project)).endswith("Done.")
    assert (await take(folder, project)).endswith("Nothing to do.")
    out = tmp_path / folder.name
    assert (await give(out, project)).endswith("Done.")
    assert (await take(out, project)).endswith("Nothing to do.")
    assert (await give(out, project)).endswith("Nothing to do.")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_what_comes_out_is_what_went_in_less_what_was_told(
    folder: Path, project: str, tmp_path: Path
) -> None:
    await take(folder, project)
    await give(tmp_path / "out", project)
    before, after = files_below(folder), files_below(tmp_path / "out")
    assert set(after) == set(before)
    wanted = {path: taken(path, content) for path, content in before.items()}
    if folder == SMALL:
        del wanted["pipelines/greet/triggers.yaml"]["never"]
        wanted["pipelines/greet/metadata.yaml"]["variables"]["since"] = "2024-01-31"
    for path, content in wanted.items():
        assert taken(path, after[path]) == content, path


async def test_what_is_told_and_what_is_private(project: str, tmp_path: Path) -> None:
    said = await take(SMALL, project)
    assert "trigger never: 'every now and then' is no interval" in said
    assert "dates in its variables become text" in said
    assert "Secrets that are asked for and not set: small_host" in said
    assert "those that blocks see: SMALL_USER" in said
    await give(tmp_path / "out", project)
    for path in ("io_config.yaml", "pipelines/greet/triggers.yaml"):
        assert (tmp_path / "out" / path).stat().st_mode & 0o777 == 0o600


async def test_everything_has_its_place_in_the_database(project: str, small: Path) -> None:
    (small / "windows.csv").write_bytes(b"name\r\nada\n")
    await take(small, project)
    (pipeline,) = await stored(pipelines, project)
    assert (pipeline["uuid"], pipeline["name"]) == ("greet", "Greet people")
    assert pipeline["concurrency_config"] == {"block_run_limit": 2}
    people, greetings, is_day = await stored(blocks, project)
    assert people["content"] == (SMALL / "data_loaders/deep/people.py").read_text()
    assert greetings["upstream_blocks"] == ["deep/people"] and greetings["timeout_s"] == 60
    assert (is_day["type"], is_day["upstream_blocks"]) == ("conditional", ["greetings"])
    call, morning = await stored(triggers, project)
    assert (call["token"], call["status"], call["type"]) == (TOKEN, "active", "api")
    assert len(morning["token"]) == 32 and morning["token"] != TOKEN
    assert morning["next_fire_at"] is not None and morning["last_enabled_at"] is not None
    files = {file["path"]: file for file in await stored(project_files, project)}
    assert files["windows.csv"]["content"] == "name\r\nada\n"
    assert files["io_config.yaml"]["content"] is None
    assert "canary" not in files["io_config.yaml"]["sealed"]
    assert "custom/orphan.py" in files and "transformers/greetings.py" not in files


async def test_a_dry_run_and_a_no_change_nothing(project: str) -> None:
    said = await take(SMALL, project, dry_run=True)
    assert "+ pipeline greet (3 blocks, 2 triggers)" in said and "(--dry-run)" in said
    asked: list[str] = []
    await commands.import_mage(
        SMALL, commands.ImportOptions(project), asked.append, lambda _: False
    )
    assert asked[-1] == "Nothing was changed."
    assert await stored(pipelines, project) == await stored(project_files, project) == []


async def test_a_second_import_shows_and_takes_what_has_changed(project: str, small: Path) -> None:
    await take(small, project)
    code = small / "transformers/greetings.py"
    code.write_text(code.read_text().replace('"the end"', '"finis"'))
    (small / "io_config.yaml").write_text("canary-of-another-password: 1\n")
    text = (small / "pipelines/greet/triggers.yaml").read_text()
    text = text.replace(TOKEN, "f" * 32).replace("sla: 600", "sla: 700")
    (small / "pipelines/greet/triggers.yaml").write_text(text)
    metadata = small / "pipelines/greet/metadata.yaml"
    data = yaml.safe_load(metadata.read_text())
    data["blocks"].insert(0, {"uuid": "first", "type": "markdown", "content": "words"})
    metadata.write_text(yaml.safe_dump(data))
    said = await take(small, project)
    assert "+ block first" in said and "the order of its blocks" not in said
    assert '-    return [greet(person) for person in people] + [full("the end")]' in said
    assert '+    return [greet(person) for person in people] + [full("finis")]' in said
    assert "-sla: 600" in said and "+sla: 700" in said
    assert "io_config.yaml (secret, not shown)" in said
    assert "canary" not in said and TOKEN not in said and "f" * 32 not in said
    assert "people.csv" not in said
    found = {block["uuid"]: block for block in await stored(blocks, project)}
    assert found["greetings"]["version"] == 2
    assert found["greetings"]["content"] == code.read_text()
    places = sorted(found.values(), key=lambda block: block["position"])
    assert [b["uuid"] for b in places] == ["first", "deep/people", "greetings", "is_day"]
    call, morning = await stored(triggers, project)
    assert (call["token"], morning["sla"], morning["version"]) == ("f" * 32, 700, 3)


async def test_the_name_of_the_folder_is_set_once(project: str, small: Path) -> None:
    assert "the project's folder is small (was None)" in await take(small, project)
    renamed = moved(small, "a clone of it")
    assert (await take(renamed, project)).endswith("Nothing to do.")
    said = await take(renamed, project, folder="default_repo")
    assert "the project's folder is default_repo (was small)" in said and said.endswith("Done.")
    assert (await take(renamed, project)).endswith("Nothing to do.")
    with pytest.raises(Invalid, match="cannot be a project's folder"):
        await take(renamed, project, folder="a/b")


async def test_a_folder_whose_name_is_no_package_is_told(project: str, small: Path) -> None:
    renamed = moved(small, "2024 pipelines")
    assert "name it with --folder" in await take(renamed, project)
    assert (await take(renamed, project)).endswith("Nothing to do.")


async def test_what_only_isthmus_has_stays_unless_pruned(project: str, small: Path) -> None:
    await take(small, project)
    (small / "people.csv").unlink()
    (small / "conditionals/is_day.py").unlink()
    metadata = small / "pipelines/greet/metadata.yaml"
    data = yaml.safe_load(metadata.read_text())
    data["conditionals"] = []
    metadata.write_text(yaml.safe_dump(data))
    (pipeline,) = await stored(pipelines, project)
    await rows.pipeline(pipeline["project_id"], "ours")
    await create_trigger(SYSTEM, {"name": "ours"}, pipeline_id=pipeline["id"])
    said = await take(small, project)
    for extra in ("pipeline ours", "file people.csv", "block is_day of", "trigger ours of"):
        assert f"  {extra}" in said
    assert said.endswith("Nothing to do.")
    with pytest.raises(Invalid, match="could not be read"):
        await take(small, project, prune=True)
    listed = small / "pipelines/greet/triggers.yaml"
    listed.write_text(listed.read_text().replace("every now and then", "0 5 * * 1"))
    assert (await take(small, project, prune=True)).endswith("Done.")
    assert [row["uuid"] for row in await stored(pipelines, project)] == ["greet"]
    assert [row["uuid"] for row in await stored(blocks, project)] == ["deep/people", "greetings"]
    assert {row["name"] for row in await stored(triggers, project)} == {"call", "morning", "never"}
    assert "people.csv" not in {row["path"] for row in await stored(project_files, project)}


async def test_paused_triggers_come_switched_off_and_stay_as_they_are(
    project: str, small: Path
) -> None:
    await take(small, project, paused=True)
    assert {row["status"] for row in await stored(triggers, project)} == {"inactive"}
    assert (await take(small, project, paused=True)).endswith("Nothing to do.")
    await take(small, project)
    assert {row["status"] for row in await stored(triggers, project)} == {"active"}
    assert (await take(small, project, paused=True)).endswith("Nothing to do.")


async def test_what_is_no_text_or_leads_elsewhere_is_told_and_left_out(
    project: str, small: Path, tmp_path: Path
) -> None:
    (small / "picture.png").write_bytes(b"\x89PNG\xff\x00")
    (small / "nul.txt").write_bytes(b"a\x00b")
    (small / "large.csv").write_bytes(b"x" * (FILE_BYTES + 1))
    (tmp_path / "outside.txt").write_text("canary-outside")
    (small / "link.txt").symlink_to(tmp_path / "outside.txt")
    (small / "utils/away").symlink_to(tmp_path)
    (small / "back\\slash").write_text("x")
    os.mkfifo(small / "pipe")
    for made in (".git/config", "__pycache__/x.pyc", ".logs/run.log", "mage_data/x.json"):
        (small / made).parent.mkdir(exist_ok=True)
        (small / made).write_text("canary-made")
    said = await take(small, project)
    for line in (
        "picture.png: not a text file",
        "nul.txt: not a text file",
        "large.csv: larger than",
        "link.txt: a link",
        "utils/away: a link",
        "pipe: not a file",
        "'back\\\\slash': A path has no backslashes",
    ):
        assert line in said
    files = await stored(project_files, project)
    assert "canary-" not in str(files)
    assert not {file["path"].split("/")[0] for file in files} & {".git", ".logs", "mage_data"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("blocks: [", "is no YAML in line"),
        ("- a\n- b\n", "holds no mapping"),
        ("type: unheard_of\n", "its type unheard_of is unknown"),
        ("blocks: [{uuid: a, type: custom, timeout: soon}]\n", "'soon' is no whole number"),
        ("blocks: [{uuid: a, type: unheard_of}]\n", "there is no block type unheard_of"),
        ("blocks: [{uuid: a, type: custom, language: latin}]\n", "there is no language latin"),
        ("variables: [1]\n", "variables is no mapping"),
        (
            "blocks: [{uuid: a, type: custom, upstream_blocks: [b]},"
            " {uuid: b, type: custom, upstream_blocks: [a]}]\n",
            "its blocks form a circle",
        ),
        ("extensions: {great_expectations: {blocks: []}}\n", "pipeline other: extensions"),
        ("blocks: [{uuid: a, type: custom, upstream_blocks: [x]}]\n", "no upstream block ['x']"),
        ("blocks: [{uuid: a, type: custom}]\n", "block a: its file is not there"),
        ("blocks: 7\n", "blocks is no list of mappings"),
        ("blocks: [7]\n", "blocks is no list of mappings"),
    ],
)
async def test_what_cannot_be_taken_is_told_and_the_rest_is_taken(
    project: str, small: Path, text: str, why: str
) -> None:
    (small / "pipelines/other").mkdir()
    (small / "pipelines/other/metadata.yaml").write_text(text)
    said = await take(small, project)
    assert why in said and said.endswith("Done.")
    assert "greet" in {row["uuid"] for row in await stored(pipelines, project)}
    assert (await take(small, project)).endswith("Nothing to do.")


async def test_an_import_that_fails_half_way_has_done_nothing(project: str, small: Path) -> None:
    (small / "large").mkdir()
    for number in range(65):
        (small / f"large/{number}.txt").write_bytes(b"x" * FILE_BYTES)
    with pytest.raises(Invalid, match="at most 67108864 bytes"):
        await take(small, project)
    assert await stored(pipelines, project) == await stored(project_files, project) == []
    shutil.rmtree(small / "large")
    assert (await take(small, project)).endswith("Done.")


async def test_a_folder_that_is_no_mage_project_is_refused(project: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(Invalid, match="is no Mage project"):
            await take(folder, project)
    with pytest.raises(NotFound, match=f"There are: .*{project}"):
        await take(SMALL, "absent")


async def test_code_that_differs_from_a_shared_file_gets_a_file_of_its_own(
    project: str, small: Path, tmp_path: Path
) -> None:
    copied = small / "pipelines/second"
    shutil.copytree(small / "pipelines/greet", copied)
    (copied / "triggers.yaml").unlink()
    await take(small, project)
    first, _, second, _ = [b for b in await stored(blocks, project) if b["type"] != "conditional"]
    await rows.change(blocks, second["id"], content="# edited here\n")
    await rows.project_file(second["project_id"], "data_loaders/second/deep/people.py", "# mine\n")
    out = tmp_path / "out" / "small"
    said = await give(out, project)
    assert "its code differs from that of the same file elsewhere" in said
    assert (out / "data_loaders/deep/people.py").read_text() == first["content"]
    assert (out / "data_loaders/second/deep/people_2.py").read_text() == "# edited here\n"
    assert (out / "data_loaders/second/deep/people.py").read_text() == "# mine\n"
    again = await take(out, project)
    assert "+file_path: data_loaders/second/deep/people_2.py" in again.replace("  ", "")
    assert "+ pipeline" not in again and "edited" not in again


async def test_a_copy_of_a_block_has_its_code_and_stays_a_copy(
    project: str, small: Path, tmp_path: Path
) -> None:
    metadata = small / "pipelines/greet/metadata.yaml"
    data = yaml.safe_load(metadata.read_text())
    copy = {"uuid": "again", "type": "transformer", "replicated_block": "greetings"}
    data["blocks"].append({**copy, "upstream_blocks": ["greetings"]})
    metadata.write_text(yaml.safe_dump(data))
    await take(small, project)
    again = next(b for b in await stored(blocks, project) if b["uuid"] == "again")
    assert again["content"] == (small / "transformers/greetings.py").read_text()
    out = tmp_path / "out" / "small"
    await give(out, project)
    written = yaml.safe_load((out / "pipelines/greet/metadata.yaml").read_text())
    assert written["blocks"][2]["replicated_block"] == "greetings"
    assert not (out / "transformers/again.py").exists()
    assert (await take(out, project)).endswith("Nothing to do.")


@pytest.mark.parametrize(
    ("path", "where", "is_file"),
    [
        ("dbt/shop/models/orders.sql", "dbt/shop/models/orders.sql", True),
        ("shop/models/orders.sql", "dbt/shop/models/orders.sql", True),
        ("small/transformers/orders.sql", "transformers/orders.sql", False),
        ("sql/orders.sql", "sql/orders.sql", False),
        ("../orders.sql", "dbts/orders.sql", False),
    ],
)
async def test_code_is_found_and_put_where_the_configuration_says(
    project: str, small: Path, tmp_path: Path, path: str, where: str, is_file: bool
) -> None:
    metadata = small / "pipelines/greet/metadata.yaml"
    data = yaml.safe_load(metadata.read_text())
    block = {"uuid": "orders", "type": "dbt", "language": "sql", "upstream_blocks": []}
    data["blocks"].append({**block, "configuration": {"file_source": {"path": path}}})
    metadata.write_text(yaml.safe_dump(data))
    (small / where).parent.mkdir(parents=True, exist_ok=True)
    (small / where).write_text("SELECT 1\n")
    await take(small, project)
    (orders,) = [b for b in await stored(blocks, project) if b["uuid"] == "orders"]
    assert orders["content"] == "SELECT 1\n"
    held = {file["path"] for file in await stored(project_files, project)}
    assert (where in held) is is_file
    out = tmp_path / "out" / "small"
    await give(out, project)
    assert set(files_below(out)) == set(files_below(small))
    assert (out / where).read_text() == "SELECT 1\n"
    assert (await take(out, project)).endswith("Nothing to do.")


async def test_an_export_writes_nothing_outside_its_folder(
    project: str, small: Path, tmp_path: Path
) -> None:
    await take(small, project)
    await _point(project, "../outside.py")
    out = tmp_path / "out" / "small"
    await give(out, project)
    assert not (tmp_path / "out/outside.py").exists()
    (out / "linked").symlink_to(tmp_path)
    await _point(project, "linked/outside.py")
    with pytest.raises(Invalid, match="through a link"):
        await give(out, project)
    assert not (tmp_path / "outside.py").exists()
    await _point(project, "transformers/greetings.py")
    (out / "transformers/greetings.py").unlink()
    (tmp_path / "victim.py").write_text("mine")
    (out / "transformers/greetings.py").symlink_to(tmp_path / "victim.py")
    await give(out, project)
    assert (tmp_path / "victim.py").read_text() == "mine"
    assert "greet" in (out / "transformers/greetings.py").read_text()


async def _point(project: str, path: str) -> None:
    own = [b for b in await stored(blocks, project) if b["uuid"] == "greetings"]
    async with db.engine().begin() as connection:
        pointed = {"file_source": {"path": path}}
        where = blocks.c.id == own[0]["id"]
        await connection.execute(update(blocks).where(where).values(configuration=pointed))


async def test_an_import_is_in_the_audit_log_without_contents(project: str, small: Path) -> None:
    await take(small, project)
    await take(small, project)
    own = (await stored(pipelines, project))[0]["project_id"]
    async with db.reading() as connection:
        found = await connection.execute(
            select(audit_log).where(audit_log.c.project_id == own).order_by(audit_log.c.id)
        )
        told = [dict(row) for row in found.mappings()]
    actions = [row["action"] for row in told]
    assert actions == ["project.update", "pipeline.import", "project_file.import"]
    assert {row["actor_kind"] for row in told} == {"system"}
    assert "io_config.yaml" in told[-1]["fields"] and "canary" not in str(told)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schedule_type": "tide"}, "there is no trigger type tide"),
        ({"schedule_interval": "61 * * * *"}, "is no interval"),
        ({"start_time": "soon"}, "'soon' is no time"),
        ({"sla": "long"}, "'long' is no whole number"),
        ({"settings": {"timeout": -1}}, "-1 is no whole number"),
        ({"settings": [1]}, "settings is no mapping"),
        ({"variables": 7}, "variables is no mapping"),
        ({"name": "call"}, "another trigger has this name"),
        ({"name": None}, "it has no name"),
    ],
    ids=str,
)
async def test_a_trigger_that_cannot_be_taken_is_told(
    project: str, small: Path, change: dict[str, Any], why: str
) -> None:
    listed = small / "pipelines/greet/triggers.yaml"
    data = yaml.safe_load(listed.read_text())
    data["triggers"][1].update(change)
    listed.write_text(yaml.safe_dump(data))
    assert why in await take(small, project)
    assert [row["name"] for row in await stored(triggers, project)] == ["call"]
