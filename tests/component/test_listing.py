"""The list, read from the indexes: which queries it makes, and how many items they read."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.position import Sort
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.table import item_from_task
from shared.tasks.task import Task, TaskStatus
from tests.tasks import changing, in_list, new_task, walk


@pytest.fixture
def client(any_aws: str | None) -> Any:
    return boto3.client("dynamodb", endpoint_url=any_aws)


@pytest.fixture(params=["1", "3", "2/5"])
def shards(request: pytest.FixtureRequest) -> StatusShards:
    return StatusShards.parse(request.param)


@pytest.fixture
def listing(client: Any, shards: StatusShards) -> TaskListing:
    return TaskListing(client, shards=shards)


class Tasks:
    """Tasks in the table, and the list expected of them."""

    def __init__(self, client: Any, shards: StatusShards, drafts: list[tuple[int, TaskStatus]]) -> None:
        self._shards, self._client, self._numbers = shards, client, itertools.count()
        old = client.scan(TableName="TasksTable")["Items"]
        self._write([{"DeleteRequest": {"Key": {"pk": item["pk"]}}} for item in old])
        self.tasks: dict[str, Task] = {}
        self.add(*drafts)

    def add(self, *drafts: tuple[int, TaskStatus]) -> None:
        tasks = [self._task(created_at, status) for created_at, status in drafts]
        self._write([{"PutRequest": {"Item": item_from_task(task, self._shards)}} for task in tasks])
        self.tasks |= {task.id: task for task in tasks}

    def _task(self, created_at: int, status: TaskStatus) -> Task:
        number = next(self._numbers)
        title = f"Task {number}"
        return Task(
            # Not random, so that a failure can be repeated.
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, title)),
            title=title,
            description=None,
            status=status,
            due_at=number % 5 or None,
            assignee=(None, "ada", "grace")[number % 3],
            created_at=created_at,
            updated_at=created_at,
            created_by="ada",
            version=1,
        )

    def put(self, task: Task) -> None:
        self._write([{"PutRequest": {"Item": item_from_task(task, self._shards)}}])
        self.tasks[task.id] = task

    def _write(self, requests: list[Any]) -> None:
        for start in range(0, len(requests), 25):
            self._client.batch_write_item(RequestItems={"TasksTable": requests[start : start + 25]})

    def expected(self, query: TaskQuery) -> list[Task]:
        return in_list(self.tasks.values(), query)


def test_each_query_lists_the_expected_tasks(client: Any, shards: StatusShards, listing: TaskListing) -> None:
    """Tests the query of each partition; `unit/test_merge.py` tests how they are merged."""
    tasks = Tasks(client, shards, [(1 + n % 7, list(TaskStatus)[n % 3]) for n in range(25)])
    for query in (
        TaskQuery(limit=3),
        TaskQuery(limit=4, statuses=(TaskStatus.PENDING, TaskStatus.COMPLETED)),
        TaskQuery(limit=100, created_before=5),
        TaskQuery(limit=3, assignee="ada"),
        TaskQuery(limit=3, assignee="ada", statuses=(TaskStatus.PENDING,), created_before=6),
        TaskQuery(limit=3, assignee=""),
        TaskQuery(limit=3, assignee="ada", sort=Sort.DUE_AT),
        TaskQuery(limit=4, sort=Sort.DUE_AT),
        TaskQuery(limit=3, sort=Sort.DUE_AT, statuses=(TaskStatus.PENDING,), due_after=1, due_before=4),
        TaskQuery(limit=3, sort=Sort.DUE_AT, due_after=3, due_before=2),
    ):
        assert [task for page in walk(listing.page, query) for task in page] == tasks.expected(query)
    query = TaskQuery(limit=5, skip=7)
    assert listing.page(query).tasks == tasks.expected(query)[7:12]


def test_the_order_of_ties_does_not_depend_on_the_index(
    client: Any, shards: StatusShards, listing: TaskListing
) -> None:
    """DynamoDB does not define the order of equal sort keys; moto happens to return the expected one."""
    tasks = Tasks(client, shards, [(1, TaskStatus.PENDING)] * 5)
    reverse = lambda parsed, **_: parsed["Items"].reverse()  # noqa: E731
    client.meta.events.register("after-call.dynamodb.Query", reverse)
    try:
        listed = [task for page in walk(listing.page, TaskQuery(limit=2)) for task in page]
    finally:
        client.meta.events.unregister("after-call.dynamodb.Query", reverse)
    assert listed == tasks.expected(TaskQuery(limit=20))


@pytest.fixture
def counts(client: Any) -> Iterator[list[int]]:
    """How many items each query reads."""
    counts: list[int] = []
    count = lambda parsed, **_: counts.append(parsed["Count"])  # noqa: E731
    client.meta.events.register("after-call.dynamodb.Query", count)
    yield counts
    client.meta.events.unregister("after-call.dynamodb.Query", count)


def test_a_page_reads_no_more_than_it_needs(client: Any, counts: list[int]) -> None:
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 41)])
    place = None
    for _ in range(3):
        page = listing.page(TaskQuery(limit=5, after=place))
        place = page.next and page.next.after
        assert len(page.tasks) == 5
    assert counts == [9, 0, 0] * 3


def test_a_page_of_many_shards_reads_little_more(client: Any, counts: list[int]) -> None:
    shards = StatusShards(8, 8)
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 401)])
    listing.page(TaskQuery(limit=100, statuses=(TaskStatus.PENDING,)))
    assert sum(counts) < 2 * 100
    assert len(counts) <= 2 * 8


def test_a_page_from_one_shard_takes_few_more_queries(client: Any, counts: list[int]) -> None:
    """All tasks are in one shard until a migration moves them."""
    shards = StatusShards(1, 8)
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 201)])
    page = listing.page(TaskQuery(limit=20, statuses=(TaskStatus.PENDING,)))
    assert len(page.tasks) == 20
    assert len(counts) == 8 + 1


@pytest.fixture
def asked_for(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limit of each query. Each ends after one item, as DynamoDB ends it when tasks are large."""
    query, limits = client.query, []

    def ended_early(**arguments: Any) -> Any:
        limits.append(arguments["Limit"])
        return query(**{**arguments, "Limit": 1})

    monkeypatch.setattr(client, "query", ended_early)
    return limits


def test_the_limit_of_a_query_is_bounded(client: Any, asked_for: list[int]) -> None:
    """Even if DynamoDB ends many queries at 1 MB."""
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 31)])
    assert len(listing.page(TaskQuery(limit=30, statuses=(TaskStatus.PENDING,))).tasks) == 30
    assert len(asked_for) >= 30
    assert max(asked_for) <= 1_000


def test_a_page_ends_after_a_bounded_read(
    client: Any, asked_for: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks that are skipped or filtered out count, too. Following the links yields all tasks."""
    monkeypatch.setattr("shared.tasks.listing._MAX_BYTES", 3_000)
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    tasks = Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 41)])
    for query in (
        TaskQuery(limit=1, skip=35, statuses=(TaskStatus.PENDING,)),
        TaskQuery(limit=5, text="task 7", statuses=(TaskStatus.PENDING,)),
    ):
        page = listing.page(query)
        assert (page.tasks, page.next is None) == ([], False)
        assert len(asked_for) <= 10
        pages = [task for page in walk(listing.page, query) for task in page]
        assert pages == tasks.expected(query)[query.skip :]
        asked_for.clear()


def test_a_page_among_many_equal_due_dates_reads_no_more_than_it_needs(
    client: Any, counts: list[int]
) -> None:
    """Thousands of tasks may be due at the end of the same day."""
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    tasks = Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 61)])
    for task in list(tasks.tasks.values()):
        tasks.put(replace(task, due_at=86_399))
    query = TaskQuery(limit=5, sort=Sort.DUE_AT, statuses=(TaskStatus.PENDING,))
    pages = list(walk(listing.page, query))
    assert [task for page in pages for task in page] == tasks.expected(query)
    assert max(counts) == 9
    assert len(counts) == len(pages) == 12


def test_a_task_is_in_the_due_index_while_it_has_a_date(client: Any) -> None:
    shards = StatusShards(1, 1)
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [])
    store = TaskStore(lambda: None, client=client, table="TasksTable", shards=shards)
    query = TaskQuery(limit=5, sort=Sort.DUE_AT)
    task = store.create(new_task()).task
    for due_at in (5, 253_402_300_799, None, 0):
        task = store.update(task.id, changing(due_at=due_at))
        assert listing.page(query).tasks == ([] if due_at is None else [task])
    store.update(task.id, changing(status=TaskStatus.COMPLETED))
    assert listing.page(replace(query, statuses=(TaskStatus.PENDING,))).tasks == []
    store.delete(task.id)
    assert listing.page(query).tasks == []


def test_assigned_tasks_are_found_with_few_reads(client: Any, counts: list[int]) -> None:
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    tasks = Tasks(client, shards, [(n, TaskStatus.PENDING) for n in range(1, 61)])
    for task in [each for each in tasks.tasks.values() if each.assignee == "ada"][2:]:
        tasks.put(replace(task, assignee="grace"))
    query = TaskQuery(limit=5, assignee="ada")
    page = listing.page(query)
    assert page.tasks == tasks.expected(query)
    assert sum(counts) == len(page.tasks) == 2


def test_a_task_is_in_the_assignee_index_while_it_is_assigned(client: Any) -> None:
    shards = StatusShards()
    listing = TaskListing(client, shards=shards)
    Tasks(client, shards, [])
    store = TaskStore(lambda: None, client=client, table="TasksTable", users="UsersTable", shards=shards)
    client.put_item(TableName="UsersTable", Item={"username": {"S": "ada"}, "password_hash": {"S": "x"}})
    query = TaskQuery(limit=5, assignee="ada", statuses=(TaskStatus.COMPLETED,))
    task = store.create(new_task(assignee="ada")).task
    assert listing.page(query).tasks == []
    task = store.update(task.id, changing(status=TaskStatus.COMPLETED))
    assert listing.page(query).tasks == [task]
    store.update(task.id, changing(assignee=None))
    assert listing.page(query).tasks == []
