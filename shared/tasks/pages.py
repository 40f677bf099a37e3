"""Rendered pages of the task list, cached."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NamedTuple

from shared.cache.pages import PageCache
from shared.metrics import count
from shared.tasks.document import task_document
from shared.tasks.listing import TaskListing
from shared.tasks.position import Place
from shared.tasks.query import TaskQuery

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class CacheUse(StrEnum):
    """How the cache was used for a page."""

    HIT = "hit"
    MISS = "miss"
    OFF = "off"
    """There is no cache, or it is unavailable."""


class RenderedPage(NamedTuple):
    """A rendered page of the list."""

    body: str
    """A JSON array of task documents."""
    next: Place | None
    """Position of the next page, if there may be one."""
    cache: CacheUse


def task_list_cache() -> PageCache:
    """Open the cache of the list, to read it or to invalidate it."""
    return PageCache("tasks")


class TaskPages:
    """The pages of the list."""

    def __init__(self, listing: TaskListing | None = None, cache: PageCache | None = None) -> None:
        self._listing = listing or TaskListing()
        self._cache = cache or task_list_cache()

    def render(self, query: TaskQuery) -> RenderedPage:
        """Read a page of tasks as JSON: from the cache, or else from the table and into the cache."""
        if query.text:  # while a user types, each query is another
            return self._read(query, CacheUse.OFF)
        name = repr(query)
        found = self._cache.look_up(name)
        if found.page is not None:
            count("CacheHit")
            place, _, body = found.page.partition("\n")
            return RenderedPage(body, Place.parse(place) if place else None, CacheUse.HIT)
        page = self._read(query, CacheUse.OFF if found.generation is None else CacheUse.MISS)
        self._cache.store(name, f"{page.next or ''}\n{page.body}", found)
        if page.cache == CacheUse.MISS:
            count("CacheMiss")
        return page

    def _read(self, query: TaskQuery, cache: CacheUse) -> RenderedPage:
        page = self._listing.page(query)
        return RenderedPage(_to_json([task_document(task) for task in page.tasks]), page.next, cache)
