"""Automatic persisted queries: a client sends the SHA-256 of a document instead of its text."""

import asyncio
import re
from collections import OrderedDict
from hashlib import sha256
from time import time
from typing import Any

import structlog
from redis.asyncio import Redis

from app.graphql.errors import BAD_USER_INPUT, Refused
from app.graphql.limits import GraphQLSettings

NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
KEY = "isthmus:apq:"
INDEX = "isthmus:apq"
REDIS_WAIT_S = 0.3
LOCAL_COUNT = 1000

_HASH = re.compile(r"[0-9a-f]{64}\Z")

log = structlog.get_logger("graphql")


class WrongHash(Refused):
    """The request's persisted-query extension is malformed or is not the hash of its text."""


def requested_hash(extensions: dict[str, Any] | None) -> str | None:
    """The hash that a request names, None if it names none; raises WrongHash."""
    wanted = (extensions or {}).get("persistedQuery")
    if wanted is None:
        return None
    value = wanted.get("sha256Hash") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or wanted.get("version") != 1:
        raise WrongHash.because("persistedQuery needs version 1.", BAD_USER_INPUT)
    if not isinstance(value, str) or not _HASH.match(value):
        raise WrongHash.because(
            "persistedQuery.sha256Hash must be 64 lower-case hexadecimal digits.", BAD_USER_INPUT
        )
    return value


class PersistedQueries:
    """Texts by hash: in Redis for all processes, and a few in memory for when it is away."""

    def __init__(self, redis: "Redis | None", settings: GraphQLSettings) -> None:
        self.redis = redis
        self.settings = settings
        self._local: OrderedDict[str, str] = OrderedDict()

    async def text(self, query: str | None, digest: str | None) -> str | None:
        """The document to run: the text itself if it fits the hash, else the stored one.

        Raises Refused with PERSISTED_QUERY_NOT_FOUND, or WrongHash.
        """
        if digest is None:
            return query
        if query is not None:
            if sha256(query.encode()).hexdigest() != digest:
                raise WrongHash.because(
                    "persistedQuery.sha256Hash is not the SHA-256 of the query.", BAD_USER_INPUT
                )
            return query
        found = self._local.get(digest) or await self._shared(digest)
        if found is None:
            # Clients match this very message before they send the text.
            raise Refused.because("PersistedQueryNotFound", NOT_FOUND)
        self._remember(digest, found)
        return found

    async def save(self, digest: str, text: str) -> None:
        """Keep a text that passed validation; one that is too long is not kept."""
        if len(text) > self.settings.persisted_text or digest in self._local:
            return
        self._remember(digest, text)
        if self.redis is None:
            return
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                pipe = self.redis.pipeline(transaction=False)
                pipe.set(KEY + digest, text, ex=self.settings.persisted_ttl_s)
                pipe.zadd(INDEX, {digest: time()})
                pipe.expire(INDEX, self.settings.persisted_ttl_s)
                pipe.zcard(INDEX)
                surplus = (await pipe.execute())[-1] - self.settings.persisted_count
                if surplus > 0:
                    oldest = await self.redis.zpopmin(INDEX, surplus)
                    await self.redis.delete(*(KEY + _text(name) for name, _ in oldest))
        except Exception as error:
            log.warning("persisted_query.not_shared", error=type(error).__name__)

    async def _shared(self, digest: str) -> str | None:
        if self.redis is None:
            return None
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                found = await self.redis.get(KEY + digest)
        except Exception as error:
            log.warning("persisted_query.not_looked_up", error=type(error).__name__)
            return None
        text = None if found is None else _text(found)
        # Redis is no place of trust: what it returns must be what was asked for.
        return text if text is not None and sha256(text.encode()).hexdigest() == digest else None

    def _remember(self, digest: str, text: str) -> None:
        self._local[digest] = text
        self._local.move_to_end(digest)
        if len(self._local) > LOCAL_COUNT:
            self._local.popitem(last=False)


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
