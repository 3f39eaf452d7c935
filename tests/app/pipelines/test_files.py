"""Project files and secrets through the graph: versions, bounds, rights, and nothing shown."""

import asyncio
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from app.core import db, telemetry
from app.core.errors import Invalid
from app.core.ids import global_id
from app.core.rules import SYSTEM
from app.pipelines.actions import files, secrets
from app.pipelines.tables import project_file_versions, project_files, project_secrets
from tests.factories import rows
from tests.factories.team import Team, make_team
from tests.graphql.caller import Answer, Caller

FIELDS = "id path isSecret content bytes version createdBy { id } project { id }"
VERSIONS = "versions { totalCount nodes { version path isSecret content bytes replacedBy { id } } }"
SET = f"""mutation($i: ProjectFileSetInput!) {{ projectFileSet(input: $i) {{
  projectFile {{ {FIELDS} {VERSIONS} }} errors {{ message code path }} }} }}"""
DELETE = """mutation($id: ID!) { projectFileDelete(input: {by: {id: $id}}) {
  deletedId errors { message } } }"""
LIST = f"""query($p: ID!, $w: ProjectFileFilter) {{ projectFiles(projectId: $p, where: $w, first: 100)
  {{ totalCount nodes {{ {FIELDS} {VERSIONS} }} }} }}"""
SET_SECRET = """mutation($i: ProjectSecretSetInput!) { projectSecretSet(input: $i) {
  projectSecret { id name version } errors { message code path } } }"""
DELETE_SECRET = """mutation($id: ID!) { projectSecretDelete(input: {by: {id: $id}}) {
  deletedId errors { message } } }"""
SECRETS = """query($p: ID!) { projectSecrets(projectId: $p, first: 100) {
  totalCount nodes { id name version } } }"""
CANARY = "canary-5b1e-of-project-files"


async def write(team: Team, path: str, content: str = "text", **more: Any) -> Answer:
    """Set a file as the editor."""
    given = {"projectId": team.project_id, "path": path, "content": content, **more}
    return await team.editor(SET, i=given)


async def test_a_file_is_made_changed_and_deleted_and_its_versions_stay(team: Team) -> None:
    made = (await write(team, "utils/a.py", "one\r\n")).only["projectFile"]
    assert (made["content"], made["bytes"], made["version"]) == ("one\r\n", 5, 1)
    assert made["isSecret"] is False and made["project"] == {"id": team.project_id}
    assert made["versions"]["totalCount"] == 0
    await write(team, "utils/a.py", "zwölf")
    again = (await write(team, "utils/a.py", "three")).only["projectFile"]
    assert (again["id"], again["version"]) == (made["id"], 3)
    shown = [(v["version"], v["content"], v["bytes"]) for v in again["versions"]["nodes"]]
    assert shown == [(2, "zwölf", 6), (1, "one\r\n", 5)]
    assert (await team.editor(DELETE, id=made["id"])).only == {
        "deletedId": made["id"],
        "errors": [],
    }
    assert (await team.editor(DELETE, id=made["id"])).codes == ["NOT_FOUND"]
    new = (await write(team, "utils/a.py", "four")).only["projectFile"]
    assert new["id"] != made["id"] and new["version"] == 4
    assert [v["content"] for v in new["versions"]["nodes"]] == ["three", "zwölf", "one\r\n"]


async def test_files_are_listed_by_path_and_found_by_it(team: Team) -> None:
    for path in ("list/b.sql", "list/a.sql", "list/c.md"):
        await write(team, path)
    where = {"path": {"startsWith": "list/"}}
    found = (await team.viewer(LIST, p=team.project_id, w=where)).only
    assert [n["path"] for n in found["nodes"]] == ["list/a.sql", "list/b.sql", "list/c.md"]
    where = {"path": {"contains": ".md"}}
    assert (await team.viewer(LIST, p=team.project_id, w=where)).only["totalCount"] == 1


async def test_a_secret_file_stays_secret_until_it_is_said_otherwise(team: Team) -> None:
    made = (await write(team, "s.yaml", "one", isSecret=True)).only["projectFile"]
    assert (made["isSecret"], made["content"], made["bytes"]) == (True, None, 3)
    again = (await write(team, "s.yaml", "twelve")).only["projectFile"]
    assert (again["isSecret"], again["content"], again["bytes"]) == (True, None, 6)
    (version,) = again["versions"]["nodes"]
    assert (version["isSecret"], version["content"], version["bytes"]) == (True, None, 3)
    opened = (await write(team, "s.yaml", "shown", isSecret=False)).only["projectFile"]
    assert (opened["isSecret"], opened["content"]) == (False, "shown")
    assert [v["content"] for v in opened["versions"]["nodes"]] == [None, None]


async def test_what_becomes_secret_has_secret_versions(team: Team) -> None:
    for content in ("one", "two"):
        await write(team, "late.yaml", f"{CANARY} {content}")
    sealed = await write(team, "late.yaml", f"{CANARY} three", isSecret=True)
    shown = sealed.only["projectFile"]["versions"]["nodes"]
    assert [(v["version"], v["isSecret"], v["content"]) for v in shown] == [
        (2, True, None),
        (1, True, None),
    ]
    assert CANARY not in await dump()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../up.py",
        "a/../../up.py",
        "a/./b",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\nb",
        "x" * 501,
        "a/" + "y" * 256,
        "ü" * 200,
    ],
    ids=ascii,
)
async def test_paths_of_no_use_are_refused(team: Team, path: str) -> None:
    answer = await write(team, path)
    assert answer.fault == "INVALID" and answer.only["errors"][0]["path"] == ["path"]


async def test_what_postgresql_cannot_hold_is_refused(team: Team) -> None:
    for path, content in (("a\x00b", "x"), ("nul", "a\x00b"), ("half", "\ud800")):
        if content.isascii():
            assert (await write(team, path, content)).codes == ["BAD_USER_INPUT"]
        with pytest.raises(Invalid):
            await files.set_file(SYSTEM, team.project, path, files.FileText(content))


async def test_a_path_cannot_be_a_file_and_a_folder(team: Team) -> None:
    await write(team, "both/a")
    assert (await write(team, "both")).fault == "INVALID"
    assert (await write(team, "both/a/b")).fault == "INVALID"
    assert (await write(team, "both/b")).only["errors"] == []


async def test_contents_are_bounded(team: Team) -> None:
    large = "x" * files.FILE_BYTES
    await files.set_file(SYSTEM, team.project, "bounds/a", files.FileText(large))
    for content in (large + "x", "ü" * (files.FILE_BYTES // 2 + 1)):
        with pytest.raises(Invalid, match="at most 1048576 bytes"):
            await files.set_file(SYSTEM, team.project, "bounds/b", files.FileText(content))


async def test_a_project_has_a_bounded_number_of_files_and_bytes(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await rows.project()
    monkeypatch.setattr(files, "MAX_FILES", 2)
    monkeypatch.setattr(files, "PROJECT_BYTES", 10)
    for path, content, fault in (
        ("a", "12345", None),
        ("b", "123456", "at most 10 bytes"),
        ("b", "12345", None),
        ("c", "", "at most 2 files"),
    ):
        said = None
        try:
            await files.set_file(SYSTEM, project, path, files.FileText(content))
        except Invalid as error:
            said = str(error)
        assert (said is None) is (fault is None) and (fault or "") in (said or "")


async def test_old_versions_are_forgotten(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_VERSIONS", 3)
    for number in range(6):
        answer = await write(team, "often.txt", str(number))
    kept = answer.only["projectFile"]["versions"]["nodes"]
    assert [v["content"] for v in kept] == ["4", "3", "2"]


async def test_a_stale_version_is_a_conflict(team: Team) -> None:
    await write(team, "stale.txt")
    assert (await write(team, "stale.txt", expectedVersion=1)).only["errors"] == []
    assert (await write(team, "stale.txt", expectedVersion=1)).codes == ["CONFLICT"]
    assert (await write(team, "absent.txt", expectedVersion=1)).codes == ["NOT_FOUND"]
    made = {"projectId": team.project_id, "name": "stale", "value": "v"}
    await team.editor(SET_SECRET, i=made)
    assert (await team.editor(SET_SECRET, i={**made, "expectedVersion": 2})).codes == ["CONFLICT"]


async def test_writers_at_once_lose_nothing(team: Team) -> None:
    answers = await asyncio.gather(*(write(team, "race.txt", str(n)) for n in range(8)))
    assert all(answer.only["errors"] == [] for answer in answers)
    where = {"path": {"eq": "race.txt"}}
    (file,) = (await team.viewer(LIST, p=team.project_id, w=where)).only["nodes"]
    held = {file["content"], *(v["content"] for v in file["versions"]["nodes"])}
    assert file["version"] == 8 and held == {str(n) for n in range(8)}


async def test_viewers_read_and_do_not_write(team: Team) -> None:
    made = (await write(team, "viewed.txt")).only["projectFile"]
    given = {"projectId": team.project_id, "path": "viewed.txt", "content": "x"}
    assert (await team.viewer(SET, i=given)).codes == ["FORBIDDEN"]
    assert (await team.viewer(DELETE, id=made["id"])).codes == ["FORBIDDEN"]
    secret = {"projectId": team.project_id, "name": "n", "value": "v"}
    assert (await team.viewer(SET_SECRET, i=secret)).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "v"), (" ", "v"), ("x" * 256, "v"), ("a\n", "v"), ("a", "x" * 65537)],
    ids=lambda part: ascii(part)[:10],
)
async def test_secrets_of_no_use_are_refused(team: Team, name: str, value: str) -> None:
    given = {"projectId": team.project_id, "name": name, "value": value}
    assert (await team.editor(SET_SECRET, i=given)).fault == "INVALID"


async def test_a_projects_secrets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    project = await rows.project()
    monkeypatch.setattr(secrets, "SEALED_BYTES", 300)
    await secrets.set_secret(SYSTEM, project, "a", "x" * 100)
    with pytest.raises(Invalid, match="too large"):
        await secrets.set_secret(SYSTEM, project, "b", "x" * 100)
    with pytest.raises(Invalid, match="too large"):
        await secrets.set_secret(SYSTEM, project, "a", "x" * 300)
    await secrets.set_secret(SYSTEM, project, "a", "y" * 100)
    monkeypatch.setattr(secrets, "MAX_SECRETS", 1)
    with pytest.raises(Invalid, match="at most 1 secrets"):
        await secrets.set_secret(SYSTEM, project, "b", "")


async def test_a_secret_is_set_again_and_deleted(team: Team) -> None:
    given = {"projectId": team.project_id, "name": "again", "value": "one"}
    made = (await team.editor(SET_SECRET, i=given)).only["projectSecret"]
    again = (await team.editor(SET_SECRET, i={**given, "value": "two"})).only["projectSecret"]
    assert (again["id"], again["version"]) == (made["id"], 2)
    assert (await team.editor(DELETE_SECRET, id=made["id"])).only["deletedId"] == made["id"]
    names = [n["name"] for n in (await team.viewer(SECRETS, p=team.project_id)).only["nodes"]]
    assert "again" not in names


async def test_files_and_secrets_are_deleted_by_name_in_the_project_of_the_call(
    team: Team,
) -> None:
    made = (await write(team, "named.txt")).only["projectFile"]
    by_path = """mutation($p: String!) { projectFileDelete(input: {by: {path: $p}}) {
      deletedId errors { message } } }"""
    by_name = """mutation($n: String!) { projectSecretDelete(input: {by: {name: $n}}) {
      deletedId errors { message } } }"""
    given = {"projectId": team.project_id, "name": "named", "value": "v"}
    secret = (await team.editor(SET_SECRET, i=given)).only["projectSecret"]
    assert (await team.viewer(by_path, p="named.txt")).codes == ["FORBIDDEN"]
    assert (await team.editor(by_path, p="named.txt")).only["deletedId"] == made["id"]
    assert (await team.editor(by_path, p="named.txt")).codes == ["NOT_FOUND"]
    assert (await team.editor(by_name, n="named")).only["deletedId"] == secret["id"]
    assert (await team.editor(by_name, n="named")).codes == ["NOT_FOUND"]


async def test_a_folder_is_a_name_that_code_can_import(team: Team) -> None:
    update = """mutation($i: ProjectUpdateInput!) { projectUpdate(input: $i) {
      project { folder } errors { code path } } }"""
    good = {"id": team.project_id, "folder": "my_team-2"}
    assert (await team.owner(update, i=good)).only["project"] == {"folder": "my_team-2"}
    for bad in ("", "..", "a/b", "2nd", "a b", "x" * 151):
        answer = await team.owner(update, i={**good, "folder": bad})
        assert answer.only["errors"] == [{"code": "INVALID", "path": ["folder"]}]
    cleared = await team.owner(update, i={**good, "folder": None})
    assert cleared.only["project"] == {"folder": None}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[StringIO]:
    """What the program logs, from the least important line on."""
    before, lines = structlog.get_config(), StringIO()
    caplog.set_level("DEBUG")
    telemetry.configure("debug")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(lines))
    yield lines
    structlog.configure(**before)


async def test_a_planted_secret_is_nowhere(
    team: Team, owner: Caller, logged: StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    other = await make_team(owner.client)
    answers = [
        await write(other, "io_config.yaml", f"password: {CANARY}", isSecret=True),
        await write(other, "io_config.yaml", f"password: {CANARY}-2"),
        await write(other, "../x", CANARY, isSecret=True),
    ]
    given = {"projectId": other.project_id, "name": "token", "value": CANARY}
    answers += [
        await other.editor(SET_SECRET, i=given),
        await other.editor(SET_SECRET, i={**given, "name": ""}),
        await other.editor(SET_SECRET, i={**given, "nothing": CANARY}),
    ]
    for caller in (other.viewer, other.editor, other.owner, owner):
        answers += [
            await caller(LIST, p=other.project_id),
            await caller(SECRETS, p=other.project_id),
            await caller(
                "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on ProjectFile "
                "{ content versions { nodes { content } } } ... on ProjectSecret { name } } }",
                ids=[
                    await _id("ProjectFile", project_files, other.project),
                    await _id("ProjectSecret", project_secrets, other.project),
                ],
            ),
        ]
    where = {"path": {"contains": CANARY}}
    found = await other.owner(LIST, p=other.project_id, w=where)
    assert found.only["totalCount"] == 0
    shown = "".join(answer.text for answer in answers)
    stored = await dump()
    logs = logged.getvalue() + "".join(
        r.getMessage() for r in caplog.records if not r.name.startswith("httpx")
    )
    assert "io_config.yaml" in shown and "project_file.set" in stored and "request.served" in logs
    # A refused input is told with its own words; it was never stored.
    told = [answer.text for answer in answers if CANARY in answer.text]
    assert len(told) <= 1 and all("nothing" in text for text in told)
    assert CANARY not in stored and CANARY not in logs


async def _id(name: str, table: Any, project: int) -> str:
    async with db.reading() as connection:
        key = await connection.scalar(
            table.select().with_only_columns(table.c.id).where(table.c.project_id == project)
        )
    return global_id(name, key)


async def dump() -> str:
    """Every row of every table as text."""
    listed = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    async with db.reading() as connection:
        tables = (await connection.scalars(text(listed))).all()
        assert project_file_versions.name in tables
        found: list[str] = []
        for table in tables:
            found += (await connection.scalars(text(f"SELECT t::text FROM {table} t"))).all()
    return "\n".join(found)
