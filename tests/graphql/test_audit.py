"""The audit log: a row with every change, none that can be changed, and no secret in it."""

import base64
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette

from app.access import passwords
from app.core import db, telemetry
from app.core.audit import audit_log
from app.core.ids import global_id
from tests.factories import rows
from tests.graphql.caller import Caller
from tests.graphql.cases import CASES, Case
from tests.graphql.world import World, make_world

MUTATIONS = [case for case in CASES if case.document.startswith("mutation")]
OPEN_TO_ALL = ("sessionCreate", "userSignup", "pipelineRunCreateByToken")
REFUSED = [case for case in MUTATIONS if case.field not in OPEN_TO_ALL]


@pytest.fixture(scope="module")
async def world(app: Starlette) -> World:
    """The callers."""
    return await make_world()


async def newest(since: int = 0) -> list[dict[str, Any]]:
    """The audit rows behind an id."""
    async with db.reading() as connection:
        found = await connection.execute(
            select(audit_log).where(audit_log.c.id > since).order_by(audit_log.c.id)
        )
        return [dict(row) for row in found.mappings()]


async def last_id() -> int:
    """The id of the newest row."""
    return max((row["id"] for row in await newest()), default=0)


@pytest.mark.parametrize("case", MUTATIONS, ids=lambda case: case.name)
async def test_every_mutation_leaves_one_row(case: Case, world: World, anonymous: Caller) -> None:
    who = "owner" if case.variant in ("own", "oneself") else "installation owner"
    variables, _ = await case.make(world, who)
    since = await last_id()
    answer = await anonymous.with_token(world.tokens[who])(case.document, variables)
    assert answer.only["errors"] == []
    (row,) = await newest(since)
    assert (row["actor_kind"], row["actor_id"]) == ("session", world.users[who])
    assert row["session_id"] and row["key_id"] is None
    assert row["request_id"] == answer.body["extensions"]["requestId"]
    assert row["address"] and row["object_type"] and row["object_id"]
    nowhere = ("User", "Session", "ApiKey", "Organization", "Attachment", "UserGroup")
    about_project = row["object_type"] not in nowhere
    assert (row["project_id"] is not None) is (about_project or case.variant == "for the project")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_a_refused_mutation_leaves_none(case: Case, world: World, anonymous: Caller) -> None:
    variables, _ = await case.make(world, "anonymous")
    since = await last_id()
    answer = await anonymous(case.document, variables)
    assert answer.codes == ["UNAUTHENTICATED"]
    assert await newest(since) == []


async def test_a_failed_login_leaves_a_row(world: World, anonymous: Caller) -> None:
    name = (await rows.values_of(rows.users, world.victim))["username"]
    since = await last_id()
    for login in (name, "nobody"):
        await anonymous(
            "mutation($l: String!) { sessionCreate(input: {login: $l, password: "
            '"wrong-canary"}) { token } }',
            l=login,
        )
    known, unknown = await newest(since)
    assert {row["action"] for row in (known, unknown)} == {"session.refuse"}
    assert {row["actor_kind"] for row in (known, unknown)} == {"anonymous"}
    assert (known["object_id"], unknown["object_id"]) == (str(world.victim), None)
    assert "wrong-canary" not in str((known, unknown))


async def test_what_a_key_does_names_the_key(world: World, anonymous: Caller) -> None:
    key = await rows.api_key(world.users["editor"])
    since = await last_id()
    await anonymous.with_token(key.token)(
        "mutation($n: String!) { pipelineCreate(input: {name: $n}) { errors { code } } }",
        n=rows.unique("keyed"),
    )
    (row,) = await newest(since)
    assert (row["actor_kind"], row["key_id"], row["session_id"]) == ("key", key.id, None)


async def test_changed_fields_are_named_and_their_values_are_not(
    world: World, anonymous: Caller
) -> None:
    pipeline = await rows.pipeline(world.home)
    since = await last_id()
    await anonymous.with_token(world.tokens["editor"])(
        "mutation($i: PipelineUpdateInput!) { pipelineUpdate(input: $i) { errors { code } } }",
        i={
            "by": {"id": global_id("Pipeline", pipeline)},
            "description": "the new words",
            "variables": {"k": "the new value"},
        },
    )
    (row,) = await newest(since)
    assert row["fields"] == ["description", "variables"]
    assert "the new" not in str(row)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET action = 'nothing'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE audit_log SET action = 'x' WHERE false",
    ],
)
async def test_rows_cannot_be_changed(world: World, statement: str) -> None:
    before = await newest()
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with db.engine().begin() as connection:
            await connection.execute(text(statement))
    assert await newest() == before


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """What a server writes, from the least important line on, that of libraries too."""
    before, lines = structlog.get_config(), StringIO()
    caplog.set_level("DEBUG")
    telemetry.configure("debug")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(lines))

    def everything() -> str:
        ours = [r.getMessage() for r in caplog.records if not r.name.startswith("httpx")]
        return lines.getvalue() + "\n".join(ours)

    yield everything
    structlog.configure(**before)


async def dump() -> str:
    """Every row of every table as text."""
    async with db.reading() as connection:
        tables = await connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        )
        found = []
        for table in tables.all():
            found += (await connection.scalars(text(f"SELECT t::text FROM {table} t"))).all()
    return "\n".join(found)


def spellings(secret: str) -> set[str]:
    """A secret as it is, in base64 and in hexadecimal, as bytes are dumped."""
    raw = secret.encode()
    return {secret, base64.b64encode(raw).decode(), raw.hex()}


async def test_secrets_are_in_no_log_and_in_no_table(
    world: World, anonymous: Caller, written: Callable[[], str]
) -> None:
    boss = anonymous.with_token(world.tokens["installation owner"])
    login = """mutation($l: String!, $p: String!) { sessionCreate(input: {login: $l, password: $p}) {
      token jwt errors { code } } }"""
    create = """mutation($i: UserCreateInput!) { userCreate(input: $i) { errors { code } } }"""
    change = (
        """mutation($i: PasswordChangeInput!) { passwordChange(input: $i) { errors { code } } }"""
    )
    key = """mutation { apiKeyCreate(input: {name: "k"}) { token } }"""
    secrets = {f"canary-{word}-9417" for word in ("first", "second", "wrong", "literal", "refused")}
    first, second, wrong = (f"canary-{word}-9417" for word in ("first", "second", "wrong"))
    await boss(create, i={"username": "canary", "password": first})
    await anonymous(login, l="canary", p=wrong)
    session = (await anonymous(login, l="canary", p=first)).only
    user = anonymous.with_token(session["token"])
    await user(change, i={"currentPassword": wrong, "newPassword": second})
    assert (await user(change, i={"currentPassword": first, "newPassword": second})).only == {
        "errors": []
    }
    made = (await user(key)).only["token"]
    await anonymous.with_token(made)("{ me { id } }")
    await anonymous.with_token(session["jwt"])("{ me { id } }")
    literal = 'mutation { sessionCreate(input: {login: "canary", password: "canary-literal-9417"}) '
    await anonymous(literal + "{ token } }")
    await anonymous(literal + "{ nothing } }")
    await anonymous(literal + "{ token }")
    await boss(create, i={"username": "", "password": "canary-refused-9417"})
    await boss(create, i={"username": 5, "password": "canary-refused-9417"})
    await user("mutation { sessionDelete(input: {}) { deletedId } }")
    await user("{ me { id } }")
    secrets |= {session["token"], session["jwt"], made, PASSWORD_OF_WORLD}
    logs, stored = written(), await dump()
    assert "request.served" in logs and "session.create" in stored
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in logs
            assert spelling not in stored
    hashed = (await rows.values_of(rows.users, world.victim))["password_hash"]
    assert hashed.startswith("$argon2id$") and await passwords.matches(PASSWORD_OF_WORLD, hashed)


PASSWORD_OF_WORLD = "a password of tests"


async def test_the_url_of_a_trigger_is_logged_without_its_token(
    world: World, anonymous: Caller, written: Callable[[], str]
) -> None:
    trigger = await rows.trigger(await world.pipeline())
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    response = await anonymous.client.post(f"{path}?api_key=installation-key", json={})
    assert response.status_code == 200 and "error" not in response.json()
    assert "/pipeline_runs/***" in written()
    assert trigger["token"] not in written() and "installation-key" not in written()
    assert trigger["token"] not in str(await newest())
