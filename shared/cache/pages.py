"""Pages of a list in Redis or Valkey. A hit is one round trip, without access to the table.

A page is valid only under the generation that stands at its head. A write deletes the generation, and the
next reader sets another: a page that is valid after a write was read after it. All keys have one hash tag,
which keeps them together in a clustered server.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from typing import NamedTuple

from shared.cache.redis import RedisConnection, RedisError
from shared.logs import logger
from shared.metrics import count

RETRY_AFTER = 5.0
"""Seconds for which the circuit breaker stays open after a failure."""
TTL = 60_000
"""Milliseconds for which a page is valid."""
YOUNG_TTL = 2_000
"""The same for a page that was read this soon after a write, because an index may lag behind its table."""
_GENERATION_TTL = 600_000
"""Lifetime of a generation in milliseconds; its remaining time gives its age."""
LEASE = 400
"""Milliseconds that others wait for the reader of a missing page, before another takes its place."""
_MAX_WAIT = 1.0
"""Seconds after which a waiting reader reads the table itself."""
_MIN_DELAY, _MAX_DELAY = 0.01, 0.05
"""Seconds between two looks of a waiting reader; each delay is twice the previous one, with jitter."""

# The system's, because a snapshot would give all environments that start from it the same sequence.
_jitter = random.SystemRandom()


class LookUp(NamedTuple):
    """The result of a lookup."""

    page: str | None = None
    generation: str | None = None
    """The generation to store a page under; None when nothing can be stored."""
    ttl: int = TTL
    """Lifetime in milliseconds of a page that is read now."""


class PageCache:
    """The pages of one list."""

    def __init__(
        self,
        name: str,
        url: str | None = None,
        *,
        stack: str | None = None,
        retry_after: float = RETRY_AFTER,
    ) -> None:
        """Prepare the cache; its first use connects.

        Args:
            name: The list's name.
            url: Where the server is: `redis://` or, with TLS, `rediss://`; by default `REDIS_URL`. When that
                is empty, nothing is cached.
            stack: What all keys begin with, so that stacks can share a server; by default `STACK_ID`.
            retry_after: Seconds for which readers leave a server alone after it failed.
        """
        url = os.environ["REDIS_URL"] if url is None else url
        self._redis = RedisConnection(url) if url else None
        self._prefix = f"{os.environ['STACK_ID'] if stack is None else stack}:{{{name}}}"
        self._generation = f"{self._prefix}:generation"
        self._retry_after = retry_after
        self._retry_at = 0.0

    def look_up(self, query: str) -> LookUp:
        """Find the page of a query, or wait for the reader that is about to store it."""
        redis = self._available()
        if redis is None:
            return LookUp()
        try:
            return self._look_up(redis, query)
        except RedisError as error:
            self._report(error)
            return LookUp()

    def store(self, query: str, page: str, found: LookUp) -> None:
        """Store a page that was read after `found` was looked up; a write in between makes it invalid."""
        redis = self._available()
        if redis is None or found.generation is None:
            return
        try:
            redis.call("SET", self._page(query), f"{found.generation}\n{page}", "PX", str(found.ttl))
        except RedisError as error:
            self._report(error)

    def invalidate(self) -> bool:
        """Invalidate all pages, including those that readers are about to store. Call it after each write.

        The circuit breaker does not stop it, and a full server obeys: DEL needs no memory.

        Returns:
            False when the server did not respond; pages may then be valid until they expire.
        """
        if self._redis is None:
            return True
        try:
            self._redis.call("DEL", self._generation)
        except RedisError as error:
            self._report(error)
            return False
        return True

    def _available(self) -> RedisConnection | None:
        return None if time.monotonic() < self._retry_at else self._redis

    def _look_up(self, redis: RedisConnection, query: str) -> LookUp:
        give_up, delay = time.monotonic() + _MAX_WAIT, _MIN_DELAY
        while True:
            generation, stored = redis.call("MGET", self._generation, self._page(query))
            is_late = time.monotonic() >= give_up
            if generation is None:
                if is_late:
                    return LookUp()
                # Not `call`: sent twice, it could bring back a generation that a write ended in between.
                new = ("SET", self._generation, secrets.token_hex(8), "NX", "PX", str(_GENERATION_TTL))
                redis.pipeline(new)
                continue
            head, _, page = (stored or "").partition("\n")
            if head == generation:
                return LookUp(page, generation)
            # The holder of the lease reads the page for all readers that miss it under this generation.
            lease = f"{self._prefix}:lease:{generation}:{query}"
            left, leased = redis.pipeline(
                ("PTTL", self._generation), ("SET", lease, "", "NX", "PX", str(LEASE))
            )
            if is_late or leased is not None:
                is_young = not 0 <= left <= _GENERATION_TTL - YOUNG_TTL
                return LookUp(None, generation, YOUNG_TTL if is_young else TTL)
            time.sleep(delay * _jitter.uniform(0.5, 1))
            delay = min(2 * delay, _MAX_DELAY)

    def _page(self, query: str) -> str:
        return f"{self._prefix}:page:{query}"

    def _report(self, error: RedisError) -> None:
        self._retry_at = time.monotonic() + self._retry_after
        logger.warning("cache failed", reason=str(error), retry_after=self._retry_after)
        count("CacheFailure")
