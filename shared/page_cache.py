"""Pages of the task list in Redis or Valkey: one round trip a look-up, and never a page from before a write.

Pages are fields of one hash. Beside it stands a generation, a random text that every write replaces: a reader
notes it before it reads the table, and its page is stored only if the generation is still the same. All keys
have one hash tag, so that a clustered server keeps them together.

Of many readers who miss the same page, one reads the table and the others wait for its page, while nobody
writes. Reads are numbered as they begin.

A server that is slow, full or gone never fails a request: it costs one bounded wait, is then left alone for
some seconds, and shows as the metric `CacheFailure`.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

from shared.metrics import count
from shared.redis_connection import RedisConnection, RedisError

LEAVE_ALONE = 5.0
"""Seconds for which a server that failed is not asked again."""

GENERATION = "{tasks}:generation"
"""The key of the text that every write replaces."""
_KEYS = ("{tasks}:pages", GENERATION, "{tasks}:written", "{tasks}:settling", "{tasks}:reads")
_NAME_KEYS = (
    "local pages, generation, written, settling, reads, reader = "
    "KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]"
)
_MAX_PAGES = 200
_LIFE = 60_000
"""Milliseconds for which a page is served."""
_SHORT_LIFE = 2_000
"""The same for a page read this soon after a write: the index it was read from may lag behind the table."""
_LEASE = 400
"""Milliseconds for which a reader of the table is waited for, before another one takes its place."""
_PATIENCE = 1.0
"""Seconds after which one who waits reads the table itself."""
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.05
"""Seconds between the looks of one who waits, with jitter; each wait is twice the one before."""
_SETTLING = int(LEAVE_ALONE * 1000) + _SHORT_LIFE
"""Milliseconds after which every writer that left a lost server alone has come back to its successor."""

# A generation that is missing was lost with the server's memory. Some writers still leave the server alone,
# and their writes go unnoticed. Until that has settled, a page is only for those who came before its reading
# began, and wait for it. The new generation is random like any other, so that no reader from before the loss
# can take it for its own.
#
# Who misses a page becomes its reader, unless there is one. A reader from before the last write is not waited
# for, because what it stores will be refused. A server that is full takes no readers: everyone reads then.
_LOOK_UP = f"""
{_NAME_KEYS}
local current = redis.call('GET', generation)
if not current then
  current = ARGV[2]
  redis.call('DEL', pages)
  redis.call('SET', generation, current)
  redis.call('SET', settling, '', 'PX', {_SETTLING})
end
local is_settling = redis.call('EXISTS', settling) == 1
local came_after = tonumber(ARGV[3] ~= '' and ARGV[3] or redis.call('GET', reads) or 0)
local field, is_for_me = ARGV[1], true
if is_settling then
  field = field .. ' settling'
  is_for_me = came_after < tonumber(redis.call('HGET', pages, field .. ' for') or 0)
end
local stored = is_for_me and redis.call('HGET', pages, field)
if stored then
  local now = redis.call('TIME')
  local expiry, page = string.match(stored, '^(%d+) (.*)$')
  if tonumber(expiry) > now[1] * 1000 + now[2] / 1000 then
    return {{current, page, 0, false, false}}
  end
end
local life = (is_settling or redis.call('EXISTS', written) == 1) and {_SHORT_LIFE} or {_LIFE}
local wait_with = redis.call('GET', reader) == current and came_after
local read = 0
if not wait_with then
  local begun = redis.pcall('INCR', reads)
  if type(begun) == 'number' then
    read = begun
    redis.pcall('SET', reader, current, 'PX', {_LEASE})
  end
end
return {{current, false, life, is_settling and read, wait_with}}
"""

_STORE = f"""
{_NAME_KEYS}
if redis.call('GET', generation) ~= ARGV[2] then
  return 0
end
if redis.call('HLEN', pages) >= {_MAX_PAGES} then
  redis.call('DEL', pages)
end
local field = ARGV[1]
if ARGV[4] ~= '' then
  field = field .. ' settling'
  redis.call('HSET', pages, field .. ' for', ARGV[4])
end
local now = redis.call('TIME')
local expiry = string.format('%.0f', now[1] * 1000 + now[2] / 1000 + ARGV[3])
redis.call('HSET', pages, field, expiry .. ' ' .. ARGV[5])
redis.call('PEXPIRE', pages, {_LIFE})
redis.call('DEL', reader)
return 1
"""

# DEL comes first: a server that is full refuses a script whose first write needs memory.
_INVALIDATE = f"""
{_NAME_KEYS}
redis.call('DEL', pages)
if redis.call('EXISTS', generation) == 0 then
  redis.call('SET', settling, '', 'PX', {_SETTLING})
end
redis.call('SET', generation, ARGV[1])
redis.call('SET', written, '', 'PX', {_SHORT_LIFE})
return 1
"""

logger = Logger(child=True)
# The system's, because a snapshot would give all environments that start from it the same sequence.
_jitter = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class LookUp:
    """What the cache has for a query."""

    page: str | None
    generation: str | None
    """What it must still be when a page is stored; None when nothing can be stored now."""
    life: int
    """Milliseconds for which a page read now may be served."""
    is_for: int | None
    """Whom it may be served: those who came when fewer reads than this had begun; anybody, when None."""


NOTHING = LookUp(None, None, 0, None)
"""What is known of a query when the cache cannot be used."""


class PageCache:
    """The pages of the list."""

    def __init__(self, url: str | None = None, *, leave_alone: float = LEAVE_ALONE) -> None:
        """Prepare the cache; its first use connects.

        Args:
            url: Where the server is: `redis://` or, with TLS, `rediss://`; by default `REDIS_URL`. When that
                is empty, nothing is cached.
            leave_alone: Seconds for which a server that failed is not asked again.
        """
        url = os.environ["REDIS_URL"] if url is None else url
        self._redis = RedisConnection(url) if url else None
        self._leave_alone = leave_alone
        self._left_alone_until = 0.0

    def look_up(self, query: str) -> LookUp:
        """Find the page of a query; one round trip, unless another reader is at it and is waited for."""
        give_up = time.monotonic() + _PATIENCE
        wait, came_after = _FIRST_WAIT, ""
        while found := self._run(_LOOK_UP, _keys_of(query), query, _random(), came_after):
            generation, page, life, is_for, wait_with = found
            if wait_with is None or time.monotonic() >= give_up:
                return LookUp(page, generation, life, is_for)
            came_after = str(wait_with)
            time.sleep(wait * _jitter.uniform(0.5, 1))
            wait = min(2 * wait, _LONGEST_WAIT)
        return NOTHING

    def store(self, query: str, page: str, found: LookUp) -> None:
        """Keep a page read after `found` was looked up, unless a write came in between; one round trip.

        Does nothing when `found` has no generation, or when the page would be for nobody.
        """
        if found.generation is not None and found.is_for != 0:
            is_for = "" if found.is_for is None else str(found.is_for)
            self._run(_STORE, _keys_of(query), query, found.generation, str(found.life), is_for, page)

    def invalidate(self) -> bool:
        """Forget all pages, also those that readers are about to store; one round trip.

        Returns:
            Whether that is done: False when the server does not answer, or is left alone for now.
        """
        return self._redis is None or self._run(_INVALIDATE, _KEYS, _random()) is not None

    def _run(self, script: str, keys: tuple[str, ...], *arguments: str) -> Any:
        """Run a script; None when the server cannot be used."""
        if self._redis is None or time.monotonic() < self._left_alone_until:
            return None
        try:
            return self._redis.call("EVAL", script, str(len(keys)), *keys, *arguments)
        except RedisError as error:
            self._left_alone_until = time.monotonic() + self._leave_alone
            logger.warning("cache failed", reason=str(error), left_alone_for=self._leave_alone)
            count("CacheFailure")
            return None


def _keys_of(query: str) -> tuple[str, ...]:
    return (*_KEYS, f"{{tasks}}:reader:{query}")


def _random() -> str:
    return secrets.token_hex(8)
