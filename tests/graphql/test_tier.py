"""Whether this pass of the tests reads by compiled statements is what it says it is."""

import httpx2

from app.core.ids import global_id
from tests.graphql.caller import Caller

TIERS = {True: {"compiled": 1, "parts": 1}, False: {"executed": 2}}


async def reads(client: httpx2.AsyncClient) -> dict[str, float]:
    """How many operations were read how, as the server counts them."""
    lines = (await client.get("/metrics")).text.splitlines()
    counts = (line.split() for line in lines if line.startswith("isthmus_graphql_reads_total{"))
    return {name.split('"')[1]: float(count) for name, count in counts}


async def test_reads_are_answered_as_the_settings_say(
    client: httpx2.AsyncClient, owner: Caller, compile_reads: bool
) -> None:
    before = await reads(client)
    project = global_id("Project", 1)
    assert (await owner("{ me { id } }")).only["id"]
    assert (await owner(f'{{ node(id: "{project}") {{ id }} }}')).only == {"id": project}
    after = await reads(client)
    changed = {tier: after[tier] - before.get(tier, 0) for tier in after}
    assert {tier: n for tier, n in changed.items() if n} == TIERS[compile_reads]
