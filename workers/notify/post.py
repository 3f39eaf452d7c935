"""Posts JSON to an address that a user gave, which is a secret: it holds a token as a rule."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson

from app.core import outgoing
from app.core.outgoing import Outgoing
from workers.notify.failure import NotSent

CONNECT_S = 10.0
WHOLE_S = 30.0
PLAIN_HOST = re.compile(r"[A-Za-z0-9_.:-]+")
TRY_AGAIN = (408, 425, 429)


async def post(rules: Outgoing, url: object, body: Any, headers: Mapping[str, str]) -> str:
    """Send it and return the host's name; raises NotSent unless the answer is 2xx.

    Redirects are not followed: they could lead where the caller may not.
    """
    target = _parsed(url)
    port = target.port or {"http": 80, "https": 443}[target.scheme]
    try:
        async with asyncio.timeout(WHOLE_S):
            addresses = await rules.addresses(_host(target), port)
            status = await _first_answer(target, addresses, orjson.dumps(body), headers)
    except outgoing.NotAllowed as error:
        raise NotSent(f"{_host(target)}: {error}") from None
    except outgoing.NotFound as error:
        raise NotSent(f"{_host(target)}: {error}", again=True) from None
    except TimeoutError:
        raise NotSent(f"{_host(target)} did not answer in time.", again=True) from None
    if 300 <= status < 400:
        raise NotSent(f"{_host(target)} redirects (HTTP {status}). Give the final address.")
    if status >= 400:
        again = status >= 500 or status in TRY_AGAIN
        raise NotSent(f"{_host(target)} answered with HTTP {status}.", again=again)
    return _host(target)


def _parsed(url: object) -> httpx2.URL:
    try:
        target = httpx2.URL(str(url or ""))
    except (httpx2.InvalidURL, ValueError):
        raise NotSent("The address cannot be read as a URL.") from None
    if target.scheme not in ("http", "https") or not PLAIN_HOST.fullmatch(_host(target)):
        raise NotSent("The address must begin with https:// or http:// and name a host.")
    return target


def _host(target: httpx2.URL) -> str:
    """The host's name as it goes over the wire."""
    return target.raw_host.decode("ascii")


async def _first_answer(
    target: httpx2.URL, addresses: list[str], body: bytes, headers: Mapping[str, str]
) -> int:
    """The status from the first address that can be connected to."""
    sent = {"Content-Type": "application/json", **headers, "Host": target.netloc.decode()}
    for address in addresses:
        try:
            return await _answer(target, address, body, sent)
        except httpx2.ConnectError as error:
            failure = _untrusted(target, error)
        except httpx2.TimeoutException:
            failure = NotSent(f"{_host(target)} did not answer in time.", again=True)
        except (httpx2.HTTPError, ValueError):
            # Its text may have the address or a header in it.
            raise NotSent(f"The exchange with {_host(target)} broke off.", again=True) from None
    raise failure


async def _answer(target: httpx2.URL, address: str, body: bytes, headers: Mapping[str, str]) -> int:
    timeout = httpx2.Timeout(WHOLE_S, connect=CONNECT_S)
    # Whom to trust may come from the environment (SSL_CERT_FILE), a proxy may not.
    trust = httpx2.create_ssl_context()
    async with (
        httpx2.AsyncClient(timeout=timeout, verify=trust, trust_env=False) as client,
        client.stream(
            "POST",
            target.copy_with(host=address),
            follow_redirects=False,
            content=body,
            headers=dict(headers),
            extensions={"sni_hostname": _host(target)},
        ) as response,
    ):
        return response.status_code


def _untrusted(target: httpx2.URL, error: BaseException) -> NotSent:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSent(f"The certificate of {_host(target)} is not to be trusted.")
        cause = cause.__cause__ or cause.__context__
    return NotSent(f"{_host(target)} cannot be connected to.", again=True)
