"""Properties of the list: whatever the tasks, its pages add up to the whole list, in order."""

from __future__ import annotations

import itertools
import math
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.tasks.listing import Budget, in_order, merge
from shared.tasks.position import Sort
from shared.tasks.query import TaskPage, TaskQuery, fold
from shared.tasks.task import Task, TaskStatus
from tests.tasks import in_list, walk

NEWEST = 10
statuses = st.sampled_from(TaskStatus)
# Few times, so that they tie often.
times = st.integers(1, NEWEST)
drafts = st.lists(st.tuples(times, statuses), max_size=25)
limits = st.integers(1, 8)
queries = st.builds(
    TaskQuery,
    limit=limits,
    statuses=st.lists(statuses, unique=True).map(tuple),
    created_before=st.none() | st.integers(1, NEWEST + 1),
    assignee=st.none() | st.sampled_from(["", "ada"]),
    label=st.none() | st.sampled_from(["a", "B"]),
    due_before=st.none() | times,
    due_after=st.none() | times,
    text=st.sampled_from(["", "", "1", "TASK 2"]),
    sort=st.sampled_from(Sort),
)
budgets = st.just(math.inf) | st.integers(1, 12)
shards = st.integers(1, 3)
randoms = st.randoms(use_true_random=False)
FIXED = Random(0)  # noqa: S311 (an order that can be repeated)


class Index:
    """Tasks in partitions, as in DynamoDB.

    By age, tasks of equal times are in any order; by due date, the sort key includes the id.
    """

    def __init__(self, drafts: Iterable[tuple[int, TaskStatus]], shards: int, random: Any) -> None:
        self._numbers, self._shards, self._random = itertools.count(), shards, random
        self.tasks: dict[str, Task] = {}
        for created_at, status in drafts:
            self.add(created_at, status)

    def add(self, created_at: int, status: TaskStatus) -> None:
        number = next(self._numbers)
        task = Task(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
            title=f"Task {number}",
            status=status,
            due_at=None if number % 3 == 0 else 1 + (number * created_at) % NEWEST,
            labels=("A", "b")[: number % 4],
            assignee=(None, "ada", "grace")[number % 3],
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
            if query.sort is Sort.DUE_AT:
                yield iter(sorted((task for task in found if task.due_at is not None), key=query.position))
                continue
            self._random.shuffle(found)
            yield in_order(sorted(found, key=attrgetter("created_at"), reverse=True))

    def page(self, query: TaskQuery, tasks_read: float = math.inf) -> TaskPage:
        budget = Budget(tasks_read)

        def read(partition: Iterator[Task]) -> Iterator[Task]:
            for task in partition:
                budget.left -= 1
                yield task

        return merge([read(each) for each in self.partitions(query)], query, budget)

    def expected(self, query: TaskQuery) -> list[Task]:
        return in_list(self.tasks.values(), query)


@given(
    drafts=drafts,
    query=queries,
    shards=shards,
    random=randoms,
    skip=st.integers(0, 30),
    tasks_read=budgets,
)
@example(
    drafts=[(1, TaskStatus.PENDING)] * 9,
    query=TaskQuery(limit=3),
    shards=1,
    random=FIXED,
    skip=0,
    tasks_read=math.inf,
)
def test_following_the_cursor_yields_every_task_once_in_order(
    drafts: Any, query: TaskQuery, shards: int, random: Any, skip: int, tasks_read: float
) -> None:
    """Whatever the filters, the budget of a page and the number of tasks to skip."""
    index = Index(drafts, shards, random)
    query = replace(query, skip=skip)
    pages = list(walk(lambda query: index.page(query, tasks_read), query))
    assert list(itertools.chain(*pages)) == index.expected(query)[skip:]
    assert all(len(page) <= query.limit for page in pages)
    if tasks_read == math.inf:
        assert all(len(page) == query.limit for page in pages[:-1])
        assert pages[-1] or not index.expected(query)[skip:], "a next link led to an empty page"


@given(
    drafts=drafts,
    limit=limits,
    shards=shards,
    random=randoms,
    sorted_by=st.sampled_from(Sort),
    data=st.data(),
)
def test_surviving_tasks_are_seen_once_whatever_changes_between_pages(
    drafts: Any, limit: int, shards: int, random: Any, sorted_by: Sort, data: st.DataObject
) -> None:
    index = Index(drafts, shards, random)
    query = TaskQuery(limit=limit, sort=sorted_by)
    from_the_start = {task.id for task in index.expected(query)}
    seen: list[Task] = []
    for page in walk(index.page, query):
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
    assert seen == in_list(seen, query)


@given(shards=shards, random=randoms, moves=st.permutations(TaskStatus))
def test_a_task_moving_between_partitions_is_listed_once_in_its_newest_version(
    shards: int, random: Any, moves: list[TaskStatus]
) -> None:
    """Also between shards of one status, while a migration moves it."""
    index = Index([(1, TaskStatus.PENDING)], shards, random)
    (task,) = index.tasks.values()
    copies = [replace(task, status=status, version=version) for version, status in enumerate(moves, start=1)]
    random.shuffle(copies)
    page = merge([iter([copy]) for copy in copies], TaskQuery(limit=20), Budget())
    assert page == ([max(copies, key=attrgetter("version"))], None)


def test_partitions_are_read_no_further_than_a_page_needs() -> None:
    index = Index([(number, TaskStatus.PENDING) for number in range(1, 11)], 1, FIXED)
    tasks = iter(index.expected(TaskQuery(limit=1)))
    page = merge([tasks], TaskQuery(limit=2), Budget())
    assert [task.created_at for task in page.tasks] == [10, 9]
    assert len(list(tasks)) == 6, (
        "besides the page, one task shows that there are more, and one has another time"
    )


@pytest.mark.parametrize(
    ("text", "title", "is_found"),
    [
        ("CAFE", "Un café", True),
        ("cafe\u0301", "Un CAFÉ", True),
        ("istanbul", "İstanbul", True),
        ("STRASSE", "Straße", True),
        ("ﬁ", "File", True),
        ("가", "각", False),
        ("각", "각", True),
        ("ω", "Ὠδή", True),
        ("é", "e", True),
        ("й", "и", True),
        ("が", "か", False),
    ],
)
def test_a_search_ignores_case_and_accents(text: str, title: str, is_found: bool) -> None:
    assert (fold(text) in fold(title)) is is_found


@given(st.text())
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
