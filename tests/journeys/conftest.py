"""Running installations for the journeys."""

from collections.abc import Iterator

import pytest

from tests.journeys.live import Live, live
from tests.servers import SessionServers


@pytest.fixture(scope="module")
def live_server(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation whose api_key alone suffices."""
    folder = tmp_path_factory.mktemp("live")
    shown = {"ISTHMUS_PLAYGROUND": "true", "ISTHMUS_INTROSPECTION": "open"}
    with live(session_servers, folder, authentication=False, **shown) as made:
        yield made


@pytest.fixture(scope="module")
def live_server_with_users(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation whose users must sign in."""
    folder = tmp_path_factory.mktemp("live-users")
    with live(session_servers, folder, authentication=True) as made:
        yield made
