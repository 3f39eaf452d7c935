"""Where the program may connect to when a user names the address.

A name is resolved once, each of its addresses is checked, and the caller connects to one of these
addresses: between check and use nobody can make the name mean another machine.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

RESOLVE_S = 10.0
DEFAULT_PORTS = {"redis": 6379, "rediss": 6379}
THIS_NETWORK = ip_network("0.0.0.0/8")
NAT64 = ip_network("64:ff9b::/96")
METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Of clouds whose metadata is not at a link-local address."""


class NotAllowed(Exception):
    """The program shall not connect there."""


class NotFound(Exception):
    """There is no such host, as far as the resolver knows now."""


@dataclass(frozen=True)
class Outgoing:
    """What is allowed: with `private` also addresses of this machine and of private networks.

    `own` has host and port of the servers that the program itself depends on; never these.
    """

    private: bool = True
    own: frozenset[tuple[str, int]] = frozenset()

    async def addresses(self, host: str, port: int) -> list[str]:
        """The host's addresses, all of them checked; raises NotAllowed or NotFound."""
        found = await _resolve(host, port)
        own = {(a, p) for name, p in self.own for a in await _resolve_or_none(name, p)}
        for address in found:
            self._check(address)
            if _is_ours(address, port, own):
                raise NotAllowed("The address is one of this installation's own servers.")
        return [str(address) for address in found]

    def check_literal(self, host: str) -> None:
        """NotAllowed for a host written as an address that is never called; names are not looked up."""
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return
        self._check(address)

    def _check(self, address: Address) -> None:
        inner = _inner(address)
        forbidden = (
            inner.is_link_local
            or inner.is_multicast
            or inner.is_unspecified
            or inner in METADATA
            or (isinstance(inner, IPv4Address) and (inner.is_reserved or inner in THIS_NETWORK))
        )
        if forbidden:
            raise NotAllowed("The address is of a kind that is never called.")
        if not self.private and not inner.is_global:
            raise NotAllowed("The address is a private one (ISTHMUS_OUTGOING_PRIVATE is false).")


def own_servers(urls: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Host and port of the servers that URLs name; sockets in the file system have none."""
    found = set()
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname:
            port = parts.port or DEFAULT_PORTS.get(parts.scheme.split("+")[0], 5432)
            found.add((parts.hostname, port))
    return frozenset(found)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_ours(address: Address, port: int, own: set[tuple[Address, int]]) -> bool:
    inner = _inner(address)
    return any(
        port == p and (inner == _inner(a) or (inner.is_loopback and _inner(a).is_loopback))
        for a, p in own
    )


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFound("The host's name has no address.") from error
    plain = dict.fromkeys(str(info[4][0]).split("%")[0] for info in infos)
    return [ip_address(text) for text in plain]


async def _resolve_or_none(host: str, port: int) -> list[Address]:
    try:
        return await _resolve(host, port)
    except NotFound:
        return []
