"""Accounts: making, changing, passwords, owners, deletion."""

import asyncio

import pytest

from app.access import passwords
from app.core.ids import global_id
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer, Caller

CREATE = """mutation($i: UserCreateInput!) { userCreate(input: $i) {
  user { id username email firstName isOwner isActive version } errors { message code path } } }"""
UPDATE = """mutation($i: UserUpdateInput!) { userUpdate(input: $i) {
  user { id username email firstName isOwner isActive version } errors { message code path } } }"""
DELETE = """mutation($id: ID!) { userDelete(input: {id: $id}) {
  deletedId errors { message code } } }"""
PASSWORD = """mutation($i: PasswordChangeInput!) { passwordChange(input: $i) {
  user { id } errors { message code path } } }"""
LOGIN = """mutation($l: String!, $p: String!) { sessionCreate(input: {login: $l, password: $p}) {
  token errors { code } } }"""
ME = "{ me { username } }"


async def made(owner: Caller, **values: object) -> Answer:
    """Create a user as an owner of the installation."""
    return await owner(
        CREATE, i={"username": rows.unique("u"), "password": "long enough", **values}
    )


async def test_a_new_user_can_log_in(owner: Caller, anonymous: Caller) -> None:
    given = {"username": "Frodo", "email": "frodo@shire.example", "firstName": "Frodo"}
    user = (await made(owner, **given)).only["user"]
    assert {name: user[name] for name in given} == given
    assert (user["isOwner"], user["isActive"], user["version"]) == (False, True, 1)
    assert (await anonymous(LOGIN, l="frodo", p="long enough")).only["token"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"username": ""}, "NAME_MISSING"),
        ({"username": "  "}, "NAME_MISSING"),
        ({"username": "x" * 151}, "INVALID"),
        ({"email": "no address"}, "INVALID"),
        ({"password": "four"}, "PASSWORD_UNSUITABLE"),
        ({"password": "x" * 1025}, "PASSWORD_UNSUITABLE"),
    ],
    ids=str,
)
async def test_values_of_no_use_are_refused(
    owner: Caller, bad: dict[str, object], code: str
) -> None:
    assert (await made(owner, **bad)).fault == code


async def test_names_and_addresses_are_unique_in_any_case_and_over_both(owner: Caller) -> None:
    await made(owner, username="Merry", email="merry@shire.example")
    for taken in (
        {"username": "mERRY"},
        {"email": "MERRY@shire.example"},
        {"username": "Merry@Shire.example"},
    ):
        assert (await made(owner, **taken)).fault == "NAME_TAKEN"
    other = (await made(owner)).only["user"]
    change = {"id": other["id"], "username": "merry@shire.example"}
    assert (await owner(UPDATE, i=change)).fault == "NAME_TAKEN"


async def test_of_two_that_take_one_name_at_once_one_gets_it(owner: Caller) -> None:
    answers = await asyncio.gather(*(made(owner, username="Twin") for _ in range(3)))
    faults = [error["code"] for answer in answers for error in answer.only["errors"]]
    assert faults == ["NAME_TAKEN"] * 2


async def test_users_change_their_own_names_and_nothing_more(team: Team) -> None:
    own = (await team.viewer("{ me { id } }")).only["id"]
    changed = await team.viewer(UPDATE, i={"id": own, "firstName": "New", "email": None})
    assert (changed.only["user"]["firstName"], changed.only["user"]["email"]) == ("New", None)
    for more in ({"isOwner": True}, {"isActive": False}):
        assert (await team.viewer(UPDATE, i={"id": own, **more})).codes == ["FORBIDDEN"]
    other = (await team.editor("{ me { id } }")).only["id"]
    assert (await team.viewer(UPDATE, i={"id": other, "firstName": "x"})).codes == ["NOT_FOUND"]


async def test_a_stale_version_is_a_conflict(owner: Caller) -> None:
    user = (await made(owner)).only["user"]
    change = {"id": user["id"], "firstName": "x", "expectedVersion": 1}
    assert (await owner(UPDATE, i=change)).only["user"]["version"] == 2
    assert (await owner(UPDATE, i=change)).codes == ["CONFLICT"]


async def test_a_deactivated_user_is_out_at_once_and_comes_back_with_new_credentials(
    owner: Caller, anonymous: Caller
) -> None:
    user = await rows.user(password_hash=await passwords.hashed("right password"))
    session, key = await rows.session(user), await rows.api_key(user)
    holders = [anonymous.with_token(token) for token in (session.token, key.token)]
    for holder in holders:
        assert (await holder(ME)).codes == []
    change = {"id": global_id("User", user), "isActive": False}
    assert (await owner(UPDATE, i=change)).only["user"]["isActive"] is False
    for holder in holders:
        assert (await holder(ME)).codes == ["UNAUTHENTICATED"]
    await owner(UPDATE, i={**change, "isActive": True})
    for holder in holders:
        assert (await holder(ME)).codes == ["UNAUTHENTICATED"]
    name = (await rows.values_of(rows.users, user))["username"]
    assert (await anonymous(LOGIN, l=name, p="right password")).only["token"]


async def test_a_new_password_ends_all_other_sessions_and_no_keys(anonymous: Caller) -> None:
    user = await rows.user(password_hash=await passwords.hashed("old password"))
    here, there, key = await rows.session(user), await rows.session(user), await rows.api_key(user)
    caller = anonymous.with_token(here.token)
    wrong = {"currentPassword": "guess", "newPassword": "new password"}
    assert (await caller(PASSWORD, i=wrong)).fault == "CREDENTIALS_INVALID"
    missing = {"newPassword": "new password"}
    assert (await caller(PASSWORD, i=missing)).fault == "CREDENTIALS_INVALID"
    short = {"currentPassword": "old password", "newPassword": "new"}
    assert (await caller(PASSWORD, i=short)).fault == "PASSWORD_UNSUITABLE"
    right = {"currentPassword": "old password", "newPassword": "new password"}
    assert (await caller(PASSWORD, i=right)).only["errors"] == []
    assert (await caller(ME)).codes == []
    assert (await anonymous.with_token(there.token)(ME)).codes == ["UNAUTHENTICATED"]
    assert (await anonymous.with_token(key.token)(ME)).codes == []
    name = (await rows.values_of(rows.users, user))["username"]
    assert (await anonymous(LOGIN, l=name, p="old password")).fault == "CREDENTIALS_INVALID"
    assert (await anonymous(LOGIN, l=name, p="new password")).only["token"]


async def test_the_current_password_cannot_be_guessed_for_ever(anonymous: Caller) -> None:
    user = await rows.user(password_hash=await passwords.hashed("old password"))
    caller = anonymous.with_token((await rows.session(user)).token)
    wrong = {"currentPassword": "guess", "newPassword": "new password"}
    for _ in range(5):
        assert (await caller(PASSWORD, i=wrong)).fault == "CREDENTIALS_INVALID"
    right = {"currentPassword": "old password", "newPassword": "new password"}
    assert (await caller(PASSWORD, i=right)).codes == ["RATE_LIMITED"]


async def test_an_owner_sets_anybodys_password_without_knowing_it(
    owner: Caller, anonymous: Caller
) -> None:
    user = await rows.user()
    session = await rows.session(user)
    change = {"userId": global_id("User", user), "newPassword": "given password"}
    assert (await owner(PASSWORD, i=change)).only["errors"] == []
    assert (await anonymous.with_token(session.token)(ME)).codes == ["UNAUTHENTICATED"]


async def test_the_last_owner_can_neither_go_nor_step_down(owner: Caller) -> None:
    own = (await owner("{ me { id } }")).only["id"]
    for change in ({"isOwner": False}, {"isActive": False}):
        assert (await owner(UPDATE, i={"id": own, **change})).fault == "LAST_OWNER"
    assert (await owner(DELETE, id=own)).fault == "LAST_OWNER"


async def test_two_owners_who_remove_each_other_leave_one(owner: Caller, anonymous: Caller) -> None:
    first = (await owner("{ me { id } }")).only["id"]
    second = await rows.user(is_owner=True)
    other = anonymous.with_token((await rows.session(second)).token)
    answers = await asyncio.gather(
        owner(UPDATE, i={"id": global_id("User", second), "isOwner": False}),
        other(UPDATE, i={"id": first, "isOwner": False}),
    )
    refused = [a for a in answers if a.codes or a.only["errors"]]
    assert len(refused) == 1
    if answers[1] not in refused:
        await other(UPDATE, i={"id": first, "isOwner": True})
    if (await rows.values_of(rows.users, second))["is_owner"]:
        await owner(DELETE, id=global_id("User", second))


async def test_a_deleted_user_leaves_what_they_made(owner: Caller, team: Team) -> None:
    user = await rows.user()
    await rows.member(team.project, user, "editor")
    session, key = await rows.session(user), await rows.api_key(user)
    await rows.pipeline(team.project, "left behind", created_by=user)
    gone = await owner(DELETE, id=global_id("User", user))
    assert gone.only["deletedId"] == global_id("User", user)
    for token in (session.token, key.token):
        assert (await owner.with_token(token)(ME)).codes == ["UNAUTHENTICATED"]
    query = '{ pipeline(by: {uuid: "left_behind"}) { name createdBy { id } } }'
    assert (await team.viewer(query)).only == {"name": "left behind", "createdBy": None}
    assert (await owner(DELETE, id=global_id("User", user))).codes == ["NOT_FOUND"]
