"""Who follows a job hears of its tasks for as long as they may."""

import asyncio
from contextlib import aclosing

from starlette.applications import Starlette

from app.core import events
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.test_live_rights import follower, leaves

FOLLOW = """subscription($n: Int!) { syncTaskUpdated(by: {number: $n}) {
  seq status task { number rows } } }"""


async def test_it_opens_with_the_newest_task_and_tells_of_progress(
    app: Starlette, team: Team
) -> None:
    number = await rows.sync_job(team.project)
    await rows.sync_task(number, "failed")
    task = await rows.sync_task(number, "running")
    who = await follower(app, team, "viewer")
    async with aclosing(await who.follow(FOLLOW, n=number)) as results, asyncio.timeout(10):
        first = (await anext(results)).data
        assert first is not None and first["syncTaskUpdated"]["status"] == "RUNNING"
        stored = await rows.values_of(rows.runs, task)
        later = stored["updated_at"].now(stored["updated_at"].tzinfo)
        async with rows.db.engine().begin() as connection:
            changed = rows.sync_tasks.update().where(rows.sync_tasks.c.run_id == task)
            await connection.execute(changed.values(rows=7))
        await rows.change(rows.runs, task, updated_at=later)
        events.publish(str(task), team.project)
        second = (await anext(results)).data
        assert second is not None and second["syncTaskUpdated"]["task"]["rows"] == "7"
        assert second["syncTaskUpdated"]["seq"] == first["syncTaskUpdated"]["seq"]


async def test_it_ends_when_the_follower_has_left(app: Starlette, team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, "running")
    who = await follower(app, team, "viewer")
    async with aclosing(await who.follow(FOLLOW, n=number)) as results, asyncio.timeout(10):
        assert (await anext(results)).data is not None
        await leaves(who)
        events.publish(str(task), team.project)
        assert (await anext(results)).codes == {"NOT_FOUND"}
