"""What a task is, and where a reader stands in the list of tasks."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, Self


class TaskStatus(StrEnum):
    """How far a task has come."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


class TaskDraft(Protocol):
    """What a new task is made of."""

    @property
    def title(self) -> str:
        """Unique among all tasks."""

    @property
    def description(self) -> str | None:
        """What the task is about."""

    @property
    def status(self) -> TaskStatus:
        """How far it has come."""


def now() -> int:
    """Tell the Unix time in microseconds."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is stored. Times are Unix times in microseconds."""

    id: str
    title: str
    description: str | None
    status: TaskStatus
    created_at: int
    updated_at: int
    created_by: str
    version: int
    """Raised by every write, so that two editors cannot overwrite each other."""
    request_id: str | None = None
    """The request that created it, to be followed in the logs; unknown of older tasks."""

    @classmethod
    def new(cls, draft: TaskDraft, *, created_by: str, request_id: str | None = None) -> Self:
        """Make a task of a draft, with an id of its own."""
        created_at = now()
        return cls(
            id=str(uuid.uuid4()),
            title=draft.title,
            description=draft.description,
            status=draft.status,
            created_at=created_at,
            updated_at=created_at,
            created_by=created_by,
            version=1,
            request_id=request_id,
        )

    @property
    def position(self) -> Position:
        """Where the task stands in the list."""
        return Position(self.created_at, self.id)


class Position(NamedTuple):
    """A place in the list, which is ordered by descending position.

    The place outlives the task that it was taken from.
    """

    created_at: int
    task_id: str

    def __str__(self) -> str:
        return f"{self.created_at}/{self.task_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes.

        Raises:
            ValueError: the text is something else.
        """
        match = re.fullmatch(r"(\d{1,18})/([0-9a-f-]{36})", text, flags=re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is no place in the list")
        return cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
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


class TaskPage(NamedTuple):
    """A page of the list."""

    tasks: list[Task]
    next: Position | None
    """The place of the last task, when more tasks follow."""
