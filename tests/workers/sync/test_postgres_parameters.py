"""Further parameters of a connection, and how many threads a source may use."""

from pathlib import Path

import pytest

from tests.workers.sync.rig import Rig
from workers.connectors import duck
from workers.connectors.base import SyncError
from workers.connectors.postgres_parameters import connection_options


def test_names_of_java_and_of_libpq() -> None:
    assert connection_options(
        {
            "connectTimeout": 3,
            "ApplicationName": "nightly",
            "tcpKeepAlive": "true",
            "statement_timeout": "30s",
            "lock_timeout": "5000",
            "prepareThreshold": "0",
        }
    ) == {
        "connect_timeout": "3",
        "application_name": "nightly",
        "keepalives": "1",
        "options": "'-c statement_timeout=30s -c lock_timeout=5000'",
    }
    # Whatever names a file, a host or a service is none of them.
    assert connection_options({"passfile": "x", "service": "y", "hostaddr": "127.0.0.1"}) == {}


@pytest.mark.parametrize("value", ["x y", "x'", "x\\", "", "1 -c role=postgres"])
def test_a_value_cannot_become_another_option(value: str) -> None:
    with pytest.raises(SyncError, match="parameter statement_timeout has a value"):
        connection_options({"statement_timeout": value})


@pytest.fixture
async def source_rig(rig: Rig) -> Rig:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    return rig


async def test_parameters_reach_the_server(source_rig: Rig) -> None:
    source_rig.source_config = {"jdbc_url_params": {"statement_timeout": "20s"}}
    assert (await source_rig.run(do="check")).result["status"] == "SUCCEEDED"
    source_rig.source_config = {"jdbc_url_params": {"target_session_attrs": "read-only"}}
    told = await source_rig.run(do="check")
    assert "session is not read-only" in told.error


def test_a_source_may_ask_for_fewer_threads(tmp_path: Path) -> None:
    with duck.connect(tmp_path, threads=2) as con:
        for asked, has in ((None, 2), (8, 2), (1, 1)):
            duck.at_most(con, asked)
            assert con.execute("SELECT current_setting('threads')").fetchall() == [(has,)]
        with pytest.raises(SyncError):
            duck.at_most(con, "many")
