"""Tasks for tests, changes to them, and the expected list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from shared.api.paging import from_cursor, to_cursor
from shared.tasks.position import Place, Sort
from shared.tasks.query import TaskPage, TaskQuery
from shared.tasks.task import Task


def new_task(title: str = "Buy milk", *, created_by: str = "ada", **chosen: Any) -> Task:
    """A task to store."""
    return Task.new(title=title, created_by=created_by, **chosen)


def changing(**fields: Any) -> Callable[[Task], Task]:
    """A change that gives fields of a task new values."""
    return lambda task: replace(task, **fields)


def in_list(tasks: Iterable[Task], query: TaskQuery) -> list[Task]:
    """The expected list, computed independently of the code; texts must be ASCII."""

    def wanted(task: Task) -> bool:
        due, labels = task.due_at, [label.lower() for label in task.labels]
        return (
            (not query.statuses or task.status in query.statuses)
            and (query.created_before is None or task.created_at < query.created_before)
            and (query.due_before is None or (due is not None and due < query.due_before))
            and (query.due_after is None or (due is not None and due > query.due_after))
            and (query.assignee is None or query.assignee == (task.assignee or ""))
            and (query.label is None or query.label.lower() in labels)
            and query.text.lower() in task.title.lower()
            and (query.sort is Sort.CREATED_AT or due is not None)
        )

    if query.sort is Sort.DUE_AT:
        return sorted(filter(wanted, tasks), key=lambda t: (t.due_at, t.id))
    return sorted(filter(wanted, tasks), key=lambda t: (t.created_at, t.id), reverse=True)


def walk(page_of: Callable[[TaskQuery], TaskPage], query: TaskQuery) -> Iterator[list[Task]]:
    """Follow the cursor to the end of the list."""
    while True:
        page = page_of(query)
        yield page.tasks
        if page.next is None:
            return
        place = from_cursor(to_cursor(page.next), Place.parse)
        query = replace(query, after=place.after, skip=place.skip)
