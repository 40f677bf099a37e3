"""The cached list: never a page from before a write, and how many calls each operation makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.cached_tasks import CachedTasks, CacheUse
from shared.page_cache import PageCache
from shared.task_store import TaskStore
from shared.tasks import TaskQuery, TaskStatus
from tests.handlers import LambdaContext, counted_metrics, event, load_function
from tests.redis_servers import Server, watch_commands


@pytest.fixture
def tasks(dynamodb: Any, server: Server) -> CachedTasks:
    return CachedTasks(dynamodb, cache=PageCache(f"{server.url}?timeout=5"))


def create(store: TaskStore, title: str = "Buy milk") -> Any:
    return store.create(title=title, description="✓", status=TaskStatus.PENDING, created_by="ada")


def titles(tasks: CachedTasks, query: TaskQuery | None = None) -> list[str]:
    return [task["title"] for task in json.loads(tasks.render(query or TaskQuery()).body)]


def test_a_hit_is_the_same_page_as_the_miss(tasks: CachedTasks) -> None:
    for number in range(3):
        create(tasks, f"Task {number}")
    miss, hit = tasks.render(TaskQuery(limit=2)), tasks.render(TaskQuery(limit=2))
    assert (miss.cache, hit.cache) == (CacheUse.MISS, CacheUse.HIT)
    assert (miss.body, miss.cursor) == (hit.body, hit.cursor)
    assert hit.cursor is not None
    assert tasks.render(TaskQuery(limit=3)).cursor is None


def test_hits_and_misses_are_counted(tasks: CachedTasks, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        titles(tasks)
    assert counted_metrics(capsys) == ["CacheMiss", "CacheHit", "CacheHit"]
    CachedTasks(cache=PageCache("")).render(TaskQuery())
    assert counted_metrics(capsys) == []


def test_each_write_shows_at_once(tasks: CachedTasks) -> None:
    assert titles(tasks) == []
    task = create(tasks)
    assert titles(tasks) == ["Buy milk"]
    tasks.update(task.id, {"title": "Buy bread"})
    assert titles(tasks) == ["Buy bread"]
    tasks.delete(task.id)
    assert titles(tasks) == []


def test_a_page_read_before_a_write_is_never_served_after_it(tasks: CachedTasks) -> None:
    read = tasks.list

    def read_and_then_write(query: TaskQuery) -> Any:
        page = read(query)
        create(tasks)
        return page

    tasks.list = read_and_then_write  # type: ignore[method-assign]
    assert titles(tasks) == []
    tasks.list = read  # type: ignore[method-assign]
    assert titles(tasks) == ["Buy milk"]


def test_the_stream_makes_up_for_a_writer_that_died(
    tasks: CachedTasks, dynamodb: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert titles(tasks) == []
    create(TaskStore(dynamodb))  # and then it died
    assert titles(tasks) == []
    monkeypatch.setenv("REDIS_URL", f"{server.url}?timeout=5")
    function = load_function("invalidate_task_cache")
    answer = function.handler(event("invalidate_task_cache"), LambdaContext())
    assert answer == {"batchItemFailures": []}
    assert titles(tasks) == ["Buy milk"]


def test_the_stream_is_told_that_the_cache_is_unreachable(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    function = load_function("invalidate_task_cache")
    batch = event("invalidate_task_cache")
    first = {"itemIdentifier": batch["Records"][0]["dynamodb"]["SequenceNumber"]}
    for _ in range(2):
        assert function.handler(batch, LambdaContext()) == {"batchItemFailures": [first]}


class Calls:
    """Counts what goes to DynamoDB and to Redis."""

    def __init__(self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._made: list[str] = []
        dynamodb.meta.events.register(
            "before-call.dynamodb.*", lambda model, **_: self._made.append(model.name)
        )
        watch_commands(monkeypatch, lambda: self._made.append("redis"))

    def take(self) -> list[str]:
        made, self._made = self._made, []
        return made


def test_the_calls_of_each_operation(
    tasks: CachedTasks, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(dynamodb, monkeypatch)
    task = create(tasks)
    assert calls.take() == ["TransactWriteItems", "redis"]
    tasks.render(TaskQuery())
    assert calls.take() == ["redis", "Query", "Query", "Query", "redis"]
    tasks.render(TaskQuery())
    assert calls.take() == ["redis"]
    tasks.get(task.id)
    assert calls.take() == ["GetItem"]
    tasks.update(task.id, {"title": "Buy bread"})
    assert calls.take() == ["GetItem", "TransactWriteItems", "redis"]
    tasks.delete(task.id)
    assert calls.take() == ["GetItem", "TransactWriteItems", "redis"]
