"""Logging in and out, and the throttle on guesses."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from app.access import passwords
from app.access.tables import login_attempts, sessions
from app.core import db
from app.core.audit import audit_log
from app.core.ids import global_id
from tests.factories import rows
from tests.graphql.caller import Answer, Caller

PASSWORD = "right password"
LOGIN = """mutation($l: String!, $p: String!) { sessionCreate(input: {login: $l, password: $p}) {
  session { id isCurrent expiresAt user { username } } user { id } token jwt
  errors { message code } } }"""
LOGOUT = """mutation($id: ID) { sessionDelete(input: {id: $id}) {
  deletedId session { expiresAt } errors { message } } }"""
ME = "{ me { id username } }"


@pytest.fixture(scope="module")
async def password_hash() -> str:
    """Of the right password."""
    return await passwords.hashed(PASSWORD)


@pytest.fixture
async def username(app: Starlette, password_hash: str) -> str:
    """A new user of that password; nobody has failed to log in yet."""
    async with db.engine().begin() as connection:
        await connection.execute(login_attempts.delete())
    user = await rows.user("Sam", password_hash=password_hash)
    return str((await rows.values_of(rows.users, user))["username"])


async def login(caller: Caller, name: str, password: str = PASSWORD) -> Answer:
    """Try to log in."""
    return await caller(LOGIN, l=name, p=password)


async def test_a_login_gives_a_session_that_works(anonymous: Caller, username: str) -> None:
    made = (await login(anonymous, username)).only
    assert made["session"]["isCurrent"] is True
    assert made["session"]["user"] == {"username": username}
    for token in (made["token"], made["jwt"]):
        assert (await anonymous.with_token(token)(ME)).only["username"] == username


async def test_the_login_name_is_username_or_address_in_any_case(
    anonymous: Caller, username: str
) -> None:
    for name in (username.upper(), f" {username}@Example.ORG "):
        assert (await login(anonymous, name)).only["errors"] == []


async def test_unknown_name_wrong_password_and_inactive_user_look_alike(
    anonymous: Caller, username: str, password_hash: str
) -> None:
    inactive = await rows.user("gone", password_hash=password_hash)
    await rows.change(rows.users, inactive, is_active=False)
    gone = (await rows.values_of(rows.users, inactive))["username"]
    answers = [
        await login(anonymous, "nobody at all"),
        await login(anonymous, username, "wrong"),
        await login(anonymous, str(gone)),
    ]
    assert len({str(answer.only) for answer in answers}) == 1
    assert answers[0].fault == "CREDENTIALS_INVALID"
    assert answers[0].only["token"] is None


async def test_nothing_given_is_no_guess(anonymous: Caller, username: str) -> None:
    assert (await login(anonymous, username, "")).fault == "CREDENTIALS_MISSING"
    assert (await login(anonymous, "", "x")).fault == "CREDENTIALS_MISSING"


async def test_the_sixth_guess_is_refused_even_if_it_is_right(
    anonymous: Caller, username: str
) -> None:
    for name in (username, f"{username}@example.org", username, username.upper(), username):
        assert (await login(anonymous, name, "wrong")).fault == "CREDENTIALS_INVALID"
    answer = await login(anonymous, username)
    assert answer.codes == ["RATE_LIMITED"]
    assert 0 < answer.body["errors"][0]["extensions"]["retryAfter"] <= 15 * 60
    assert (await login(anonymous, f"{username}@example.org")).codes == ["RATE_LIMITED"]


async def test_another_account_is_not_locked_with_it(
    anonymous: Caller, username: str, password_hash: str
) -> None:
    other = await rows.user("Rosie", password_hash=password_hash)
    name = (await rows.values_of(rows.users, other))["username"]
    for _ in range(6):
        await login(anonymous, username, "wrong")
    assert (await login(anonymous, str(name))).only["errors"] == []


async def test_guesses_grow_old_and_success_forgets_them(anonymous: Caller, username: str) -> None:
    for _ in range(5):
        await login(anonymous, username, "wrong")
    old = datetime.now(UTC) - timedelta(minutes=16)
    async with db.engine().begin() as connection:
        await connection.execute(login_attempts.update().values(at=old))
    assert (await login(anonymous, username)).only["errors"] == []
    async with db.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(login_attempts)) == 0


async def test_one_address_has_a_bound_over_all_accounts(anonymous: Caller, username: str) -> None:
    for number in range(20):
        assert (await login(anonymous, f"guess {number}")).fault == "CREDENTIALS_INVALID"
    assert (await login(anonymous, username)).codes == ["RATE_LIMITED"]


async def test_guesses_at_the_same_moment_are_bounded_too(anonymous: Caller, username: str) -> None:
    since = await _last_audit()
    await asyncio.gather(*(login(anonymous, username, f"guess {n}") for n in range(16)))
    async with db.reading() as connection:
        refused = select(func.count()).where(
            audit_log.c.id > since, audit_log.c.action == "session.refuse"
        )
        assert await connection.scalar(refused) == 5


async def _last_audit() -> int:
    async with db.reading() as connection:
        return int(await connection.scalar(select(func.max(audit_log.c.id))) or 0)


async def test_a_document_full_of_logins_is_refused_as_a_whole(anonymous: Caller) -> None:
    one = 'sessionCreate(input: {login: "a", password: "b"}) { token }'
    document = "mutation { " + " ".join(f"a{n}: {one}" for n in range(1000)) + " }"
    answer = await anonymous(document)
    assert answer.codes == ["QUERY_TOO_COMPLEX"] and "data" not in answer.body
    ten = "mutation { " + " ".join(f"a{n}: {one}" for n in range(11)) + " }"
    assert (await anonymous(ten)).codes == ["QUERY_TOO_COMPLEX"]


async def test_a_logout_ends_the_session_of_the_call(anonymous: Caller, username: str) -> None:
    token = (await login(anonymous, username)).only["token"]
    user = anonymous.with_token(token)
    ended = (await user(LOGOUT)).only
    assert ended["deletedId"] and ended["errors"] == []
    assert (await user(ME)).codes == ["UNAUTHENTICATED"]


async def test_one_of_several_sessions_can_be_ended(anonymous: Caller, username: str) -> None:
    here, there = [(await login(anonymous, username)).only for _ in range(2)]
    user = anonymous.with_token(here["token"])
    assert (await user(LOGOUT, id=there["session"]["id"])).only["errors"] == []
    assert (await anonymous.with_token(there["token"])(ME)).codes == ["UNAUTHENTICATED"]
    assert (await user(ME)).only["username"] == username


async def test_a_session_ends_by_itself(anonymous: Caller, username: str) -> None:
    made = (await login(anonymous, username)).only
    user = anonymous.with_token(made["token"])
    past = datetime.now(UTC) - timedelta(seconds=1)
    await rows.change(sessions, int(rows.key_of(made["session"]["id"])), expires_at=past)
    answer = await user(ME)
    assert answer.codes == ["UNAUTHENTICATED"]
    assert answer.body["errors"][0]["extensions"]["reason"] == "expired_oauth_token"


async def test_credentials_of_no_use_are_refused(anonymous: Caller, username: str) -> None:
    made = (await login(anonymous, username)).only
    head, body, signature = made["jwt"].split(".")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + body + "."
    tokens = [
        "rubbish",
        "isk_rubbish",
        "x" * 5000,
        f"{head}.{body}.{signature[:-2]}xx",
        unsigned,
        "a.b.c",
        "..",
        made["token"][:-1],
    ]
    for token in tokens:
        assert (await anonymous.with_token(token)(ME)).codes == ["UNAUTHENTICATED"], token


async def test_a_bearer_token_of_another_kind_is_no_session(anonymous: Caller) -> None:
    response = await anonymous.client.post(
        "/v2/graphql", json={"query": ME}, headers={"Authorization": "Basic YTpi"}
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_owner_of_the_installation_ends_anybodys_session(
    owner: Caller, anonymous: Caller, username: str
) -> None:
    made = (await login(anonymous, username)).only
    assert (await owner(LOGOUT, id=made["session"]["id"])).only["errors"] == []
    assert (await anonymous.with_token(made["token"])(ME)).codes == ["UNAUTHENTICATED"]
    assert (await owner(LOGOUT, id=global_id("Session", 10**9))).codes == ["NOT_FOUND"]
