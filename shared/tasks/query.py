"""Queries of the list, and their results."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from shared.tasks.position import Place, Position, Sort
from shared.tasks.task import Task, TaskStatus

_ACCENTS = re.compile("[\u0300-\u036f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks to list."""

    limit: int
    skip: int = 0
    sort: Sort = Sort.CREATED_AT
    statuses: tuple[TaskStatus, ...] = ()
    """Only tasks with one of these statuses; if empty, with any."""
    created_before: int | None = None
    """Only tasks created strictly before this Unix time in microseconds."""
    assignee: str | None = None
    """Only tasks of this user, in lower case; if empty, unassigned tasks."""
    label: str | None = None
    """Only tasks with this label, in whatever case."""
    due_before: int | None = None
    """Only tasks that are due strictly before this Unix time in seconds."""
    due_after: int | None = None
    """Only tasks that are due strictly after this Unix time in seconds."""
    text: str = ""
    """Only tasks whose titles contain this, whatever the case and the accents."""
    after: Position | None = None
    """Only tasks that come after this place in the list."""

    def position(self, task: Task) -> Position:
        """Find a task's position in the list.

        Raises:
            ValueError: the list is sorted by a field that the task lacks.
        """
        at = task.created_at if self.sort is Sort.CREATED_AT else task.due_at
        if at is None:
            raise ValueError(f"{task.id} has no {self.sort}")
        return Position(at, task.id)

    def follows(self, task: Task) -> bool:
        """Whether a task comes after the place where the page begins."""
        if self.after is None:
            return True
        position = self.position(task)
        return position < self.after if self.sort is Sort.CREATED_AT else position > self.after

    def admits(self, task: Task) -> bool:
        """Whether a task passes the filters, wherever the page begins."""
        return (
            (not self.statuses or task.status in self.statuses)
            and (self.created_before is None or task.created_at < self.created_before)
            and (self.assignee is None or self.assignee == (task.assignee or ""))
            and (self.label is None or self.label.casefold() in (each.casefold() for each in task.labels))
            and (self.due_before is None or (task.due_at is not None and task.due_at < self.due_before))
            and (self.due_after is None or (task.due_at is not None and task.due_at > self.due_after))
            and (not self.text or fold(self.text) in fold(task.title))
            and (self.sort is not Sort.DUE_AT or task.due_at is not None)
        )


class TaskPage(NamedTuple):
    """A page of the list."""

    tasks: list[Task]
    next: Place | None
    """Position of the next page, if there may be one."""


def fold(text: str) -> str:
    """Fold a text for a search: without case and accents.

    See https://www.unicode.org/reports/tr15/ (normal forms) and
    https://www.unicode.org/versions/latest/core-spec/chapter-3/#G33992 (caseless matching)
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))
