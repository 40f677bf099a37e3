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
def listing(dynamodb: Any) -> TaskListing:
    return TaskListing(dynamodb)


@pytest.fixture
def pages(listing: TaskListing, cache: PageCache) -> TaskPages:
    return TaskPages(listing, cache)


def create(store: TaskStore, title: str = "Buy milk") -> Any:
    return store.create(new_task(title, description="✓")).task


def titles(pages: TaskPages) -> list[str]:
    return [task["title"] for task in json.loads(pages.render(QUERY).body)]


def test_a_hit_is_the_same_page_as_the_miss(tasks: TaskStore, pages: TaskPages) -> None:
    for number in range(3):
        create(tasks, f"Task {number}")
    miss, hit = pages.render(TaskQuery(limit=2)), pages.render(TaskQuery(limit=2))
    assert (miss.cache, hit.cache) == (CacheUse.MISS, CacheUse.HIT)
    assert (miss.body, miss.next) == (hit.body, hit.next)
    assert hit.next is not None
    assert pages.render(TaskQuery(limit=3)).next is None
    assert pages.render(TaskQuery(limit=3)).next is None


def test_hits_and_misses_are_counted(
    pages: TaskPages, listing: TaskListing, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        titles(pages)
    assert counted_metrics(capsys) == ["CacheMiss", "CacheHit", "CacheHit"]
    TaskPages(listing, PageCache("tasks", "")).render(QUERY)
    assert counted_metrics(capsys) == []


def test_each_write_shows_at_once(tasks: TaskStore, pages: TaskPages) -> None:
    assert titles(pages) == []
    task = create(tasks)
    assert titles(pages) == ["Buy milk"]
    tasks.update(task.id, changing(title="Buy bread"))
    assert titles(pages) == ["Buy bread"]
    tasks.delete(task.id)
    assert titles(pages) == []


def test_a_page_read_before_a_write_is_never_served_after_it(
    tasks: TaskStore, pages: TaskPages, listing: TaskListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = listing.page

    def read_and_then_write(query: TaskQuery) -> Any:
        page = read(query)
        create(tasks)
        return page

    monkeypatch.setattr(listing, "page", read_and_then_write)
    assert titles(pages) == []
    monkeypatch.setattr(listing, "page", read)
    assert titles(pages) == ["Buy milk"]


def test_the_stream_makes_up_for_a_writer_that_died(
    pages: TaskPages, dynamodb: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert titles(pages) == []
    create(TaskStore(lambda: None, client=dynamodb))  # and then it died
    assert titles(pages) == []
    monkeypatch.setenv("REDIS_URL", f"{server.url}?timeout=5")
    function = load_function("invalidate_task_cache")
    answer = function.handler(event("invalidate_task_cache"), LambdaContext())
    assert answer == {"batchItemFailures": []}
    assert titles(pages) == ["Buy milk"]


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
    tasks: TaskStore, pages: TaskPages, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.render(QUERY)  # whoever comes first sets the generation
    calls = Calls(dynamodb, monkeypatch)
    pages.render(TaskQuery(limit=1))
    assert calls.take() == ["redis", "redis", "Query", "Query", "Query", "redis"]
    pages.render(TaskQuery(limit=1))
    assert calls.take() == ["redis"]
    task = create(tasks)
    assert calls.take() == ["TransactWriteItems", "redis"]
    tasks.get(task.id)
    assert calls.take() == ["GetItem"]
    tasks.update(task.id, changing(title="Buy bread"))
    assert calls.take() == ["GetItem", "TransactWriteItems", "redis"]
    tasks.delete(task.id)
    assert calls.take() == ["GetItem", "TransactWriteItems", "redis"]


def test_a_page_that_is_too_large_ends_early_and_the_next_goes_on(
    tasks: TaskStore, pages: TaskPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [create(tasks, f"Task {number}").id for number in range(5)][::-1]
    monkeypatch.setattr("shared.tasks.pages._MAX_BYTES", 500)  # two tasks, and no third
    listed: list[list[str]] = []
    query = QUERY
    while True:
        page = pages.render(query)
        listed.append([task["id"] for task in json.loads(page.body)])
        if page.next is None:
            break
        query = TaskQuery(limit=20, after=page.next)
    assert [task_id for each in listed for task_id in each] == ids
    assert len(listed) > 1
    assert all(listed)
