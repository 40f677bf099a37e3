"""The data class of tasks: the one source of their fields.

Items of the table, the conditions of writes, idempotency digests and the JSON representation derive from the
fields of `Task`.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from shared.schema import Schema

MICROSECONDS = 1_000_000
"""Stored times are in microseconds, documents have seconds."""


class TaskStatus(StrEnum):
    """Status of a task."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


Title = Annotated[str, Schema(description="Unique among all tasks.", examples=["Book the venue"])]
Description = Annotated[
    str, Schema(description="What the task is about.", examples=["Room for 40, with a projector"])
]
Status = Annotated[TaskStatus, Schema(description="Status of the task.")]
Assignee = Annotated[
    str, Schema(description="The user who is to do it, in lower case; `me` is you.", examples=["ada"])
]
DueAt = Annotated[
    int,
    Schema(
        format="int64",
        description="When it is due: an instant, as a Unix time in whole seconds. "
        "A day ends in somebody's own time zone: a client that picks a day sends its last second there.",
        examples=[1_767_225_600],
    ),
]
Labels = Annotated[
    tuple[str, ...],
    Schema(description="What it belongs to, in your own words.", examples=[["conference", "urgent"]]),
]


class Author(NamedTuple):
    """Author of a write, and its request."""

    username: str | None
    request_id: str | None
    api_key: str | None = None
    """Name of the API key, if one was used."""


NOBODY = Author(None, None)
"""Author of writes that no user makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A stored task. Times are Unix times in microseconds."""

    id: str
    title: Title
    description: Description | None = None
    status: Status = TaskStatus.PENDING
    assignee: Assignee | None = None
    """A username in lower case."""
    due_at: DueAt | None = None
    """Unix time in seconds."""
    due_set_at: int | None = None
    """When the due date was set."""
    labels: Labels = ()
    created_at: int
    updated_at: int
    created_by: str
    """The user's id."""
    version: int
    """Incremented by every write, so that two editors cannot overwrite each other."""
    changed_by: str | None = None
    """Username of the last write's author; None for writes before version 1.3."""
    request_id: str | None = None
    """Request id of the last write, for the logs; None for writes before version 1.3."""
    api_key: str | None = None
    """Name of the API key of the last write, if one was used."""

    @classmethod
    def new(cls, *, created_by: str, author: Author = NOBODY, **chosen: Any) -> Self:
        """Make a task with a new id from the fields that users set."""
        now = current_time()
        return cls(
            **chosen,
            id=str(uuid.uuid4()),
            due_set_at=None if chosen.get("due_at") is None else now,
            created_at=now,
            updated_at=now,
            created_by=created_by,
            version=1,
            changed_by=author.username,
            request_id=author.request_id,
            api_key=author.api_key,
        )

    def next_version(self, author: Author, **fields: Any) -> Self:
        """Return the next version of the task, with these fields."""
        return replace(
            self,
            **fields,
            version=self.version + 1,
            changed_by=author.username,
            request_id=author.request_id,
            api_key=author.api_key,
        )

    @property
    def reminds(self) -> bool:
        """Whether it has a due date that was in the future when it was set."""
        return self.due_at is not None and self.due_at * MICROSECONDS > (self.due_set_at or 0)


CONSTANT = {"id", "created_at", "created_by"}
"""Fields that no update changes."""
KEPT_BY_STORE = CONSTANT | {"due_set_at", "updated_at", "version", "changed_by", "request_id", "api_key"}
"""Fields that users cannot set."""
INTERNAL = {"created_by", "due_set_at", "version", "changed_by", "request_id", "api_key"}
"""Fields that the JSON representation leaves out."""


def current_time() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1_000
