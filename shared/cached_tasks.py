"""The tasks table with its list cached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.documents import task_document, to_json
from shared.metrics import count
from shared.page_cache import PageCache
from shared.status_index import StatusShards
from shared.task_store import TaskStore
from shared.tasks import TaskQuery

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class CacheUse(StrEnum):
    """What the cache did for a page."""

    HIT = "hit"
    MISS = "miss"
    OFF = "off"
    """There is no cache, or it cannot be used now."""


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page of the list as it is sent."""

    body: str
    """A JSON array of task documents."""
    cursor: str | None
    """Where the next page starts, when there is one."""
    cache: CacheUse


class CachedTasks(TaskStore):
    """Tasks whose list is cached, and whose every write makes the cache forget it."""

    def __init__(
        self,
        client: DynamoDBClient | None = None,
        table: str | None = None,
        shards: StatusShards | None = None,
        cache: PageCache | None = None,
    ) -> None:
        super().__init__(client, table, shards)
        self._cache = cache or PageCache()

    def render(self, query: TaskQuery) -> RenderedPage:
        """Read a page of tasks as JSON: from the cache, or else from the table and into the cache."""
        name = repr(query)
        found = self._cache.look_up(name)
        if found.page is not None:
            count("CacheHit")
            cursor, _, body = found.page.partition("\n")
            return RenderedPage(body, cursor or None, CacheUse.HIT)
        page = self.list(query)
        body = to_json([task_document(task) for task in page.tasks])
        cursor = page.next.to_cursor() if page.next else ""
        self._cache.store(name, f"{cursor}\n{body}", found)
        if found.generation is None:
            return RenderedPage(body, cursor or None, CacheUse.OFF)
        count("CacheMiss")
        return RenderedPage(body, cursor or None, CacheUse.MISS)

    def _write(self, *writes: TransactWriteItemTypeDef) -> None:
        super()._write(*writes)
        self._cache.invalidate()
