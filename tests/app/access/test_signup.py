"""Accounts that people make for themselves, as the installation lets them."""

from typing import Any

import pytest

from app.access.signup import PER_ADDRESS
from app.settings import get_settings
from tests.factories import rows
from tests.graphql.caller import Answer, Caller

SIGNUP = """mutation($i: UserSignupInput!) { userSignup(input: $i) {
  user { id } errors { code path } } }"""
LOGIN = """mutation($l: String!, $p: String!) { sessionCreate(input: {login: $l, password: $p}) {
  token errors { code } } }"""
MINE = "{ me { username memberships { role { name } project { uuid } } } }"


@pytest.fixture
def policy(anonymous: Caller, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Changes a setting for one test."""
    return lambda name, value: monkeypatch.setattr(get_settings().access, name, value)


async def sign_up(caller: Caller, **values: Any) -> Answer:
    """Sign up with a new name."""
    name = rows.unique("new")
    given = {"username": name, "email": f"{name}@example.org", "password": "secret-of-new"}
    return await caller(SIGNUP, i={**given, **values})


async def member_of(anonymous: Caller, name: str) -> Any:
    """What an account that has just been made sees of itself."""
    token = (await anonymous(LOGIN, l=name, p="secret-of-new")).only["token"]
    return (await anonymous.with_token(token)(MINE)).only


async def test_an_account_is_not_logged_in_and_edits_the_default_project(
    anonymous: Caller,
) -> None:
    answer = await sign_up(anonymous, username="ann", email="ann@example.org")
    assert answer.only == {"user": None, "errors": []}
    editor = {"role": {"name": "editor"}, "project": {"uuid": "default"}}
    assert await member_of(anonymous, "ann") == {"username": "ann", "memberships": [editor]}


@pytest.mark.parametrize("taken", [{"username": "bea"}, {"email": "BEA@example.org"}])
async def test_names_and_addresses_are_taken_once(anonymous: Caller, taken: dict[str, str]) -> None:
    await sign_up(anonymous, username="bea", email="bea@example.org")
    (error,) = (await sign_up(anonymous, **taken)).only["errors"]
    assert (error["code"], error["path"]) == ("NAME_TAKEN", list(taken))


async def test_it_is_closed_once_there_is_a_user(anonymous: Caller, policy: Any) -> None:
    policy("signup", "closed")
    answer = await sign_up(anonymous)
    assert answer.codes == ["FORBIDDEN"]
    assert "closed" in answer.body["errors"][0]["message"]


async def test_it_can_give_another_role_there(anonymous: Caller, policy: Any) -> None:
    policy("signup_role", "viewer")
    await sign_up(anonymous, username="cem")
    found = await member_of(anonymous, "cem")
    assert found["memberships"] == [{"role": {"name": "viewer"}, "project": {"uuid": "default"}}]


async def test_one_address_makes_only_so_many(anonymous: Caller) -> None:
    codes = [code for _ in range(PER_ADDRESS + 1) for code in (await sign_up(anonymous)).codes]
    assert codes and set(codes) == {"RATE_LIMITED"}
