"""What one can ask the list for, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from shared.tasks.task import Position, Task, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks to list."""

    limit: int
    skip: int = 0
    statuses: tuple[TaskStatus, ...] = ()
    """Only tasks with one of these; with any, when there are none."""
    created_before: int | None = None
    """Only tasks created strictly before this Unix time in microseconds."""
    after: Position | None = None
    """Only tasks that come after this place in the list, that is, older ones."""

    def admits(self, task: Task) -> bool:
        """Whether the list that is asked for has a task."""
        return (
            (not self.statuses or task.status in self.statuses)
            and (self.created_before is None or task.created_at < self.created_before)
            and (self.after is None or task.position < self.after)
        )


class TaskPage(NamedTuple):
    """A page of the list."""

    tasks: list[Task]
    next: Position | None
    """The place of the last task, when more tasks follow."""
