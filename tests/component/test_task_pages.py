"""The cached list: never a page from before a write, and how many calls each operation makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.cache.pages import PageCache
from shared.tasks.listing import TaskListing
from shared.tasks.pages import CacheUse, TaskPages
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from tests.handlers import LambdaContext, counted_metrics, event, load_function
from tests.redis_servers import Server, watch_commands
from tests.tasks import changing, new_task

QUERY = TaskQuery(limit=20)


@pytest.fixture
def cache(server: Server) -> PageCache:
    return PageCache("tasks", f"{server.url}?timeout=5")


@pytest.fixture
def tasks(dynamodb: Any, cache: PageCache) -> TaskStore:
    return TaskStore(cache.invalidate, client=dynamodb)


@pytest.fixture
def pages(dynamodb: Any, cache: PageCache) -> TaskPages:
    return TaskPages(TaskListing(dynamodb), cache)


def create(store: TaskStore, title: str = "Buy milk") -> Any:
    return store.create(new_task(title, description="✓")).task


def titles(pages: TaskPages) -> list[str]:
    return [task["title"] for task in json.loads(pages.render(QUERY).body)]


@pytest.mark.parametrize("limit", [2, 3], ids=["with more to follow", "the last"])
def test_a_hit_is_the_same_page_as_the_miss(
    tasks: TaskStore, pages: TaskPages, limit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        create(tasks, f"Task {number}")
    miss, hit = pages.render(TaskQuery(limit=limit)), pages.render(TaskQuery(limit=limit))
    assert (miss.cache, hit.cache) == (CacheUse.MISS, CacheUse.HIT)
    assert counted_metrics(capsys) == ["CacheMiss", "CacheHit"]
    assert (miss.body, miss.next) == (hit.body, hit.next)
    assert (hit.next is None) == (limit == 3)


def test_without_a_cache_neither_hits_nor_misses_are_counted(
    dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TaskPages(TaskListing(dynamodb), PageCache("tasks", "")).render(QUERY).cache is CacheUse.OFF
    assert counted_metrics(capsys) == []


def test_each_write_shows_at_once(tasks: TaskStore, pages: TaskPages) -> None:
    assert titles(pages) == []
    task = create(tasks)
    assert titles(pages) == ["Buy milk"]
    tasks.update(task.id, changing(title="Buy bread"))
    assert titles(pages) == ["Buy bread"]
    tasks.delete(task.id)
    assert titles(pages) == []


def test_the_stream_retries_the_batch_while_the_cache_is_unreachable(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    function = load_function("invalidate_task_cache")
    batch = event("invalidate_task_cache")
    first = {"itemIdentifier": batch["Records"][0]["dynamodb"]["SequenceNumber"]}
    for _ in range(2):
        assert function.handler(batch, LambdaContext()) == {"batchItemFailures": [first]}


def test_each_operation_makes_few_calls(
    tasks: TaskStore, pages: TaskPages, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb.*", lambda model, **_: made.append(model.name))
    watch_commands(monkeypatch, lambda: made.append("redis"))

    def calls() -> list[str]:
        """The calls made since the last use of this function."""
        taken = made.copy()
        made.clear()
        return taken

    pages.render(QUERY)
    assert calls() == ["redis", "redis", "Query", "Query", "Query", "redis"]  # look up, take the lease; store
    pages.render(QUERY)
    assert calls() == ["redis"]
    task = create(tasks)
    assert calls() == ["TransactWriteItems", "redis"]
    pages.render(QUERY)  # also sets a generation, and looks up again
    assert calls() == ["redis"] * 4 + ["Query"] * 3 + ["redis"]
    tasks.get(task.id)
    assert calls() == ["GetItem"]
    tasks.update(task.id, changing(title="Buy bread"))
    assert calls() == ["GetItem", "TransactWriteItems", "redis"]
    tasks.delete(task.id)
    assert calls() == ["GetItem", "TransactWriteItems", "redis"]
