"""The playground of a real installation, in a real browser."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.journeys.live import API_KEY, Live
from tests.ui.browser import chromium_page
from tests.ui.test_playground import QUERY_EDITOR, RESPONSE, RUN, open_playground, typed

pytestmark = pytest.mark.chromium


async def test_key_in_the_address_opens_the_graph(live_server: Live, tmp_path: Path) -> None:
    async with chromium_page(tmp_path / "profile") as page:
        await open_playground(page, f"{live_server.url}/v2/graphql#key={API_KEY}")
        query = "{ me { username } projects { totalCount nodes { uuid } } }"
        await page.evaluate(typed(QUERY_EDITOR, query))
        await page.evaluate(RUN)
        await page.until(f"{RESPONSE}.includes('totalCount')")
        answer = json.loads(await page.evaluate(RESPONSE))
        assert answer["data"]["me"] == {"username": "admin"}
        assert answer["data"]["projects"]["nodes"] == [{"uuid": "default"}]
        assert page.faults == []
        hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
        assert hosts == {urlsplit(live_server.url).netloc}
