"""What a task is, and where a reader stands in the list of tasks."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class TaskStatus(StrEnum):
    """How far a task has come."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


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
    """Raised by every write: the entity tag, and what keeps two editors from overwriting each other."""

    @property
    def position(self) -> Position:
        """Where the task stands in the list."""
        return Position(self.created_at, self.id)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the list, which is ordered by descending position.

    The place outlives the task it was taken from: a cursor stays good when that task is deleted.
    """

    created_at: int
    task_id: str

    def to_cursor(self) -> str:
        """Encode the place as the opaque cursor of the HTTP API."""
        return base64.urlsafe_b64encode(f"{self.created_at}/{self.task_id}".encode()).rstrip(b"=").decode()

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Decode a cursor.

        Raises:
            ValueError: the text is no cursor of this API.
        """
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, ValueError):
            text = ""
        match = re.fullmatch(r"(\d{1,18})/([0-9a-f-]{36})", text, flags=re.ASCII)
        if match is None:
            raise ValueError("not a cursor of this list; take it from the Link header")
        return cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list."""

    limit: int = 20
    skip: int = 0
    status: TaskStatus | None = None
    created_before: int | None = None
    """Only tasks created strictly before this Unix time in microseconds."""
    after: Position | None = None
    """Only tasks that come after this place in the list, that is, older ones."""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of the list."""

    tasks: list[Task]
    next: Position | None
    """The place of the last task, when more tasks follow."""
