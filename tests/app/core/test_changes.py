"""Versioned updates, and what two writers at once are told."""

import asyncio

import pytest
from starlette.applications import Starlette

from app.access.tables import memberships, roles, users
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Conflict, Invalid, NotFound
from app.core.rules import SYSTEM
from tests.factories import rows


async def test_each_change_raises_the_version_and_the_time(app: Starlette) -> None:
    user = await rows.user()
    before = await rows.values_of(users, user)
    async with db.transaction(SYSTEM) as tx:
        row = await tx.one(users.select().where(users.c.id == user))
        assert row is not None
        changed = await update_row(tx, users, row, {"first_name": "x"}, expected_version=1)
    assert changed["version"] == 2
    assert changed["updated_at"] > before["updated_at"]
    with pytest.raises(Conflict, match="version 2 now, not 1"):
        async with db.transaction(SYSTEM) as tx:
            await update_row(tx, users, changed, {"first_name": "y"}, expected_version=1)


async def test_a_unique_value_in_use_is_a_fault_of_the_input(app: Starlette) -> None:
    first, second = await rows.user(), await rows.user()
    name = (await rows.values_of(users, first))["username"]
    for write in (_insert(name), _rename(second, name)):
        with pytest.raises(Invalid) as refused:
            await write
        assert refused.value.reason == "NAME_TAKEN"


async def _insert(name: str) -> None:
    async with db.transaction(SYSTEM) as tx:
        await insert_row(tx, users, {"username": name})


async def _rename(user: int, name: str) -> None:
    async with db.transaction(SYSTEM) as tx:
        row = await tx.one(users.select().where(users.c.id == user))
        assert row is not None
        await update_row(tx, users, row, {"username": name})


async def test_a_parent_that_has_just_gone_is_not_found(app: Starlette) -> None:
    async with db.reading() as connection:
        role = await connection.scalar(roles.select().limit(1))
    with pytest.raises(NotFound):
        async with db.transaction(SYSTEM) as tx:
            values = {"project_id": 10**9, "user_id": 10**9, "role_id": role}
            await insert_row(tx, memberships, values)


async def test_a_transaction_that_fails_leaves_nothing(app: Starlette) -> None:
    user, audits = await rows.user(), await rows.audit_count()
    with pytest.raises(RuntimeError):
        async with db.transaction(SYSTEM) as tx:
            await delete_row(tx, users, user)
            await tx.audit("user.delete", "User", user)
            raise RuntimeError
    assert (await rows.values_of(users, user))["id"] == user
    assert await rows.audit_count() == audits


async def test_of_two_updates_of_one_version_one_wins(app: Starlette) -> None:
    user = await rows.user()

    async def change(name: str) -> None:
        async with db.transaction(SYSTEM) as tx:
            row = await tx.one(users.select().where(users.c.id == user).with_for_update())
            assert row is not None
            await update_row(tx, users, row, {"first_name": name}, expected_version=1)

    results = await asyncio.gather(change("a"), change("b"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
