"""Counts what answering an operation takes: statements, fields that are executed, plans that are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event

from app.core import db
from app.core.read_pool import ReadPool
from app.graphql.compiler.cache import Plans
from app.graphql.executor import PartsExecutor


@dataclass
class Counted:
    """What has happened since counting began, in its order."""

    statements: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    plans: int = 0


@contextmanager
def counting() -> Iterator[Counted]:
    """Look on while operations are answered as ever."""
    counted = Counted()
    first, execute_field, made = ReadPool.first, PartsExecutor.execute_field, Plans._made

    async def counted_first(pool: Any, statement: str, *given: Any) -> Any:
        counted.statements.append(statement)
        return await first(pool, statement, *given)

    def counted_field(executor: Any, *given: Any) -> Any:
        counted.fields.append(".".join(map(str, given[3].as_list())))
        return execute_field(executor, *given)

    def counted_plan(plans: Any, *given: Any) -> Any:
        counted.plans += 1
        return made(plans, *given)

    def executed(_: Any, __: Any, statement: str, *___: Any) -> None:
        counted.statements.append(statement)

    engine = db.engine().sync_engine
    event.listen(engine, "before_cursor_execute", executed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReadPool, "first", counted_first)
        patch.setattr(PartsExecutor, "execute_field", counted_field)
        patch.setattr(Plans, "_made", counted_plan)
        try:
            yield counted
        finally:
            event.remove(engine, "before_cursor_execute", executed)
