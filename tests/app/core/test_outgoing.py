"""Addresses that a user names: which may be called."""

import pytest

from app.core.outgoing import NotAllowed, NotFound, Outgoing, own_servers

OWN = own_servers(
    ["postgresql+asyncpg://u:p@127.0.0.1:5433/d", "redis://localhost:6380/0", "unix:///x/redis"]
)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",  # the same as one number
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "255.255.255.255",
        "240.0.0.1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
async def test_some_addresses_are_never_called(host: str) -> None:
    with pytest.raises(NotAllowed):
        await Outgoing(private=True).addresses(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "fd12::1", "8.8.8.8"])
async def test_others_are_called_by_their_address(host: str) -> None:
    assert await Outgoing().addresses(host, 80) == [host]


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "::1", "10.1.2.3", "fd12::1", "::ffff:10.0.0.1", "2130706433"],
)
async def test_private_ones_can_be_forbidden(host: str) -> None:
    with pytest.raises(NotAllowed, match="ISTHMUS_OUTGOING_PRIVATE"):
        await Outgoing(private=False).addresses(host, 80)
    assert await Outgoing(private=False).addresses("8.8.8.8", 80) == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "::ffff:127.0.0.1"])
async def test_our_own_servers_are_never_called(host: str) -> None:
    for port in (5433, 6380):
        with pytest.raises(NotAllowed, match="own servers"):
            await Outgoing(own=OWN).addresses(host, port)
    assert await Outgoing(own=OWN).addresses(host, 8080)


async def test_a_name_without_address_is_told_apart() -> None:
    with pytest.raises(NotFound):
        await Outgoing().addresses("no-such-host.invalid", 80)


def test_servers_without_a_port_have_the_usual_one() -> None:
    assert own_servers(["postgresql://db/x", "redis://cache"]) == {("db", 5432), ("cache", 6379)}
