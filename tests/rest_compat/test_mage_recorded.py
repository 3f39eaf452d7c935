"""Recordings of a real server where the key alone suffices, replayed in their order.

A real server and a real worker answer: the runs that the recordings speak of are executed.
"""

from collections.abc import Iterator

import httpx2
import pytest

from tests.journeys.live import Live, live
from tests.rest_compat.deviations import KEY_ALONE_DEVIATIONS as DEVIATIONS
from tests.rest_compat.fixtures import PREPARE, Server
from tests.rest_compat.replay import KEY_ALONE, RECORDINGS, check, titled
from tests.servers import SessionServers


@pytest.fixture(scope="module")
def installation(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory, compile_reads: bool
) -> Iterator[Live]:
    """An installation of this module's own, since the recordings count what there is."""
    folder, tier = tmp_path_factory.mktemp("mage"), str(compile_reads)
    made = live(session_servers, folder, authentication=False, ISTHMUS_COMPILE=tier)
    with made as installation:
        yield installation


@pytest.fixture(scope="module")
def server(installation: Live) -> Iterator[Server]:
    """One server for the whole sequence."""
    with httpx2.Client(base_url=installation.url, timeout=30) as client:
        yield Server(installation, client)


@pytest.mark.parametrize("seq", KEY_ALONE, ids=titled)
def test_answer_is_as_recorded_where_the_key_suffices(server: Server, seq: int) -> None:
    prepare = PREPARE.get(seq)
    if prepare is not None:
        prepare(server)
    check(seq, server.replay(RECORDINGS[seq]), DEVIATIONS.get(seq))


def test_content_sent_in_an_update_is_what_the_block_contained(server: Server) -> None:
    assert server.remembered["content"] == "# updated block code"
