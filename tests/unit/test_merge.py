"""Properties of the list: whatever the tasks, pages add up to the list, and the list is in order."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.tasks.listing import in_order, merge
from shared.tasks.query import TaskPage, TaskQuery
from shared.tasks.task import Task, TaskStatus
from tests.tasks import in_list, walk

NEWEST = 10
statuses = st.sampled_from(TaskStatus)
# Few times, so that they tie often.
drafts = st.lists(st.tuples(st.integers(1, NEWEST), statuses), max_size=25)
limits = st.integers(1, 8)
queries = st.builds(
    TaskQuery,
    limit=limits,
    statuses=st.lists(statuses, unique=True).map(tuple),
    created_before=st.none() | st.integers(1, NEWEST + 1),
)
shards = st.integers(1, 3)
orders = st.randoms(use_true_random=False)
FIXED = Random(0)  # noqa: S311 (an order that can be repeated)


class Index:
    """Tasks in partitions as DynamoDB has them: by descending time, and of equal times in any order."""

    def __init__(self, drafts: Iterable[tuple[int, TaskStatus]], shards: int, order: Any) -> None:
        self._numbers, self._shards, self._order = itertools.count(), shards, order
        self.tasks: dict[str, Task] = {}
        for created_at, status in drafts:
            self.add(created_at, status)

    def add(self, created_at: int, status: TaskStatus) -> None:
        number = next(self._numbers)
        task = Task(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
            title=f"Task {number}",
            status=status,
            created_at=created_at,
            updated_at=created_at,
            created_by="ada",
            version=1,
        )
        self.tasks[task.id] = task

    def partitions(self, query: TaskQuery) -> Iterator[Iterator[Task]]:
        for status, shard in itertools.product(query.statuses or TaskStatus, range(self._shards)):
            found = [
                task
                for task in self.tasks.values()
                if task.status is status and uuid.UUID(task.id).int % self._shards == shard
            ]
            self._order.shuffle(found)
            yield in_order(sorted(found, key=attrgetter("created_at"), reverse=True))

    def page(self, query: TaskQuery) -> TaskPage:
        return merge(list(self.partitions(query)), query)

    def expected(self, query: TaskQuery) -> list[Task]:
        return in_list(self.tasks.values(), query)


@given(drafts=drafts, query=queries, shards=shards, order=orders)
@example(drafts=[(1, TaskStatus.PENDING)] * 9, query=TaskQuery(limit=3), shards=1, order=FIXED)
def test_following_the_cursor_yields_every_task_once_in_order(
    drafts: Any, query: TaskQuery, shards: int, order: Any
) -> None:
    index = Index(drafts, shards, order)
    pages = list(walk(index.page, query))
    assert list(itertools.chain(*pages)) == index.expected(query)
    assert all(len(page) == query.limit for page in pages[:-1])
    assert pages[-1] or not index.expected(query), "a next link led to an empty page"


@given(drafts=drafts, query=queries, shards=shards, order=orders, skip=st.integers(0, 30))
def test_skip_and_limit_slice_the_list(
    drafts: Any, query: TaskQuery, shards: int, order: Any, skip: int
) -> None:
    index = Index(drafts, shards, order)
    whole = index.expected(query)
    page = index.page(replace(query, skip=skip))
    assert page.tasks == whole[skip : skip + query.limit]
    assert (page.next is not None) == (skip + query.limit < len(whole))


@given(drafts=drafts, limit=limits, shards=shards, order=orders, data=st.data())
def test_what_survives_is_seen_once_whatever_comes_and_goes_between_pages(
    drafts: Any, limit: int, shards: int, order: Any, data: st.DataObject
) -> None:
    index = Index(drafts, shards, order)
    from_the_start = set(index.tasks)
    seen: list[Task] = []
    for page in walk(index.page, TaskQuery(limit=limit)):
        seen += page
        for _ in range(data.draw(st.integers(0, 2), label="changes")):
            kind = data.draw(st.sampled_from(["add", "remove", "move"]))
            if kind == "add":
                index.add(data.draw(st.integers(1, NEWEST)), data.draw(statuses))
            elif index.tasks:
                task = data.draw(st.sampled_from(sorted(index.tasks.values(), key=attrgetter("title"))))
                if kind == "remove":
                    del index.tasks[task.id]
                else:
                    index.tasks[task.id] = replace(task, status=data.draw(statuses), version=task.version + 1)
    ids = [task.id for task in seen]
    assert len(ids) == len(set(ids)), "a task was listed twice"
    assert from_the_start & set(index.tasks) <= set(ids), "a task that was there all along was not listed"
    assert seen == sorted(seen, key=lambda t: (t.created_at, t.id), reverse=True)


@given(shards=shards, order=orders, moves=st.permutations(TaskStatus))
def test_a_task_on_its_way_between_partitions_is_listed_once_as_the_newest(
    shards: int, order: Any, moves: list[TaskStatus]
) -> None:
    """Or between the shards of one, while a migration moves it."""
    index = Index([(1, TaskStatus.PENDING)], shards, order)
    (task,) = index.tasks.values()
    copies = [replace(task, status=status, version=version) for version, status in enumerate(moves, start=1)]
    order.shuffle(copies)
    page = merge([iter([copy]) for copy in copies], TaskQuery(limit=20))
    assert page == ([max(copies, key=attrgetter("version"))], None)


def test_partitions_are_read_no_further_than_a_page_needs() -> None:
    index = Index([(number, TaskStatus.PENDING) for number in range(1, 11)], 1, FIXED)
    tasks = iter(index.expected(TaskQuery(limit=1)))
    page = merge([tasks], TaskQuery(limit=2))
    assert [task.created_at for task in page.tasks] == [10, 9]
    assert len(list(tasks)) == 6, (
        "beside the page, one that tells that there are more, and one of another time"
    )
