"""Models of the requests that concern tasks: the one description of each."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from shared.api.models import Body, Composed, DecimalNumber, Query, WholeNumber
from shared.api.paging import from_cursor
from shared.api.response import JSON, MERGE_PATCH
from shared.api.text import MANY_LINES, TRIMMED_LINE, many_lines, one_line, visible
from shared.documents import MICROSECONDS
from shared.tasks.task import Task, TaskQuery, TaskStatus

_LATEST = 253_402_300_799
"""The end of the year 9999, as a Unix time in seconds."""


def _checked(cursor: str) -> str:
    from_cursor(cursor)
    return cursor


def _as_list(value: Any) -> Any:
    return list(dict.fromkeys(value)) if isinstance(value, list) else [value]


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Composed,  # which runs before
    AfterValidator(one_line),
    AfterValidator(visible),
    Field(json_schema_extra={"pattern": TRIMMED_LINE}),
]
Description = Annotated[
    str,
    StringConstraints(max_length=10_000),
    Composed,
    AfterValidator(many_lines),
    Field(json_schema_extra={"pattern": MANY_LINES}),
]


class NewTask(Body):
    """A task to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Book the venue", "description": "Room for 40, with a projector"}]
        }
    )

    title: Title = Field(description="Unique among all tasks. White space around it is dropped.")
    description: Description | None = Field(None, description="What the task is about.")
    status: TaskStatus = Field(TaskStatus.PENDING, description="How far it has come.")


class TaskChanges(Body):
    """Changes of a task: at least one. Fields that are absent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"status": "IN_PROGRESS"}]})
    media_types: ClassVar[tuple[str, ...]] = (JSON, MERGE_PATCH)

    # A title and a status cannot be null: None stands for "absent", and is never read.
    title: Title = Field(
        None,  # type: ignore[assignment]
        description="Unique among all tasks. White space around it is dropped.",
    )
    description: Description | None = Field(None, description="What the task is about; null clears it.")
    status: TaskStatus = Field(None, description="How far it has come.")  # type: ignore[assignment]

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one of title, description and status")
        return self

    def apply(self, task: Task) -> Task:
        """Return the task with these changes."""
        return replace(task, **self.model_dump(exclude_unset=True))


class TaskListQuery(Query):
    """Which tasks to list, and which page of them."""

    status: Annotated[list[TaskStatus], BeforeValidator(_as_list)] = Field(
        [], description="Only tasks with this status; repeat it for several."
    )
    # Decimal, because a float cannot hold today's time to the microsecond.
    created_at: Annotated[Decimal, Field(ge=0, le=_LATEST), DecimalNumber] | None = Field(
        None, description="Only tasks created before this Unix time in seconds."
    )
    skip: Annotated[int, WholeNumber] = Field(
        0,
        ge=0,
        le=10_000,
        description="How many tasks to skip. For deep pages follow the Link header.",
    )
    limit: Annotated[int, WholeNumber] = Field(
        20, ge=1, le=100, description="How many tasks to return at most."
    )
    cursor: Annotated[str, AfterValidator(_checked)] | None = Field(
        None,
        description="Where the page begins; comes from a Link header. Its depth costs nothing.",
        json_schema_extra={"format": "cursor"},
    )

    def to_task_query(self) -> TaskQuery:
        """Convert to the domain's query."""
        return TaskQuery(
            limit=self.limit,
            skip=self.skip,
            statuses=tuple(status for status in TaskStatus if status in self.status),
            created_before=None if self.created_at is None else math.ceil(self.created_at * MICROSECONDS),
            after=None if self.cursor is None else from_cursor(self.cursor),
        )
