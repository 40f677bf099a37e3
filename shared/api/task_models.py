"""Models of requests that concern tasks: the constraints of their fields."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from shared.api.models import LATEST, Body, Composed, DecimalNumber, Query, Whole, WholeNumber
from shared.api.paging import from_cursor, to_cursor
from shared.api.response import JSON, MERGE_PATCH
from shared.api.text import MANY_LINES, TRIMMED_LINE, many_lines, one_line, visible
from shared.schema import Schema
from shared.tasks.position import Place, Sort
from shared.tasks.query import TaskQuery
from shared.tasks.task import (
    MICROSECONDS,
    Assignee,
    Author,
    Description,
    DueAt,
    Status,
    Task,
    TaskStatus,
    Title,
)


def _as_list(value: Any) -> Any:
    return list(dict.fromkeys(value)) if isinstance(value, list) else [value]


ValidTitle = Annotated[
    Title,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Composed,  # runs before the constraints above
    AfterValidator(one_line),
    AfterValidator(visible),
    Field(json_schema_extra={"pattern": TRIMMED_LINE}),
]
_Description = Annotated[
    Description,
    StringConstraints(max_length=10_000),
    Composed,
    AfterValidator(many_lines),
    Field(json_schema_extra={"pattern": MANY_LINES}),
]


def _without_twins(labels: tuple[str, ...] | None) -> tuple[str, ...]:
    labels = labels or ()
    if len({each.casefold() for each in labels}) < len(labels):
        raise ValueError("No two labels should be the same but for their case")
    return labels


_Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
    Composed,
    AfterValidator(one_line),
    AfterValidator(visible),
    Field(json_schema_extra={"pattern": TRIMMED_LINE}),
]
_Labels = Annotated[
    Annotated[tuple[_Label, ...], Field(max_length=10, json_schema_extra={"uniqueItems": True})] | None,
    AfterValidator(_without_twins),
    Schema(description="Up to ten labels; null is none.", examples=[["conference", "urgent"]]),
]
_ME, _NOBODY = "me", "none"
_Assignee = Annotated[
    Assignee, StringConstraints(to_lower=True, pattern="^([A-Za-z0-9_.@-]{3,32}|[Mm][Ee])$")
]
_Time = Annotated[int, Field(ge=0, le=LATEST), WholeNumber]

_Cursor = Annotated[
    Place,
    PlainValidator(partial(from_cursor, parse=Place.parse)),
    PlainSerializer(to_cursor),
    WithJsonSchema({"type": "string", "format": "cursor", "minLength": 1}),
]


class _TaskFields(Body):
    title: ValidTitle
    description: _Description | None = None
    status: Status = TaskStatus.PENDING
    assignee: _Assignee | None = None
    due_at: Annotated[DueAt, Field(ge=0, le=LATEST, strict=True), Whole] | None = None
    labels: _Labels = ()

    def _fields(self, author: Author) -> dict[str, Any]:
        """Return the given fields, with `me` as the author's name."""
        given = self.model_dump(exclude_unset=True)
        if given.get("assignee") == _ME:
            given["assignee"] = str(author.username).lower()
        return given


class NewTask(_TaskFields):
    """A task to create. White space around the title is dropped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Book the venue", "description": "Room for 40, with a projector"}]
        }
    )

    def to_task(self, *, created_by: str, author: Author) -> Task:
        """Make the task; the user with this id created it."""
        return Task.new(**self._fields(author), created_by=created_by, author=author)


class TaskChanges(_TaskFields):
    """Changes of a task: at least one. Absent fields stay as they are; null clears an optional one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"status": "IN_PROGRESS"}]})
    media_types: ClassVar[tuple[str, ...]] = (JSON, MERGE_PATCH)

    # These cannot be null: None stands for "absent", and is never read.
    title: ValidTitle = None  # type: ignore[assignment]
    status: Status = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            *others, last = type(self).model_fields
            raise ValueError(f"give at least one of {', '.join(others)} and {last}")
        return self

    def apply(self, task: Task, author: Author) -> Task:
        """Return the task with these changes, which an author makes."""
        return replace(task, **self._fields(author))


class TaskListQuery(Query):
    """Which tasks to list, and which page of them."""

    status: Annotated[list[TaskStatus], BeforeValidator(_as_list)] = Field(
        [], description="Only tasks with this status; repeat it for several."
    )
    # Decimal, because a float cannot hold today's time to the microsecond.
    created_at: Annotated[Decimal, Field(ge=0, le=LATEST), DecimalNumber] | None = Field(
        None, description="Only tasks created before this Unix time in seconds."
    )
    assignee: _Assignee | None = Field(
        None, description="Only tasks of this user; `me` is you, and `none` is nobody."
    )
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), Composed] | None = Field(
        None, description="Only tasks with this label, in whatever case.", min_length=1
    )
    due_before: _Time | None = Field(
        None, description="Only tasks that are due before this Unix time in seconds."
    )
    due_after: _Time | None = Field(
        None, description="Only tasks that are due after this Unix time in seconds."
    )
    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = Field(
        None,
        description="Only tasks whose titles contain this text, whatever the case and the accents.",
        min_length=1,
        examples=["cafe"],
    )
    sort: Sort = Field(
        Sort.CREATED_AT,
        description="`created_at`: the newest first. `due_at`: the soonest first, of tasks that have one.",
    )
    skip: Annotated[int, WholeNumber] = Field(
        0,
        ge=0,
        le=10_000,
        description="How many tasks to skip. For deep pages follow the Link header instead.",
    )
    limit: Annotated[int, WholeNumber] = Field(
        20, ge=1, le=100, description="How many tasks to return at most."
    )
    cursor: _Cursor | None = Field(
        None, description="Where the page begins; comes from a Link header. Its depth costs nothing."
    )

    @field_validator("cursor")
    @classmethod
    def _of_this_sort(cls, cursor: Place | None, given: ValidationInfo) -> Place | None:
        if cursor and cursor.sort is not given.data.get("sort", cursor.sort):
            raise ValueError("comes from a list with another sort; send both as the Link header has them")
        return cursor

    def to_task_query(self, me: str) -> TaskQuery:
        """Convert to the domain's query, of the user with this name; fields of the same name carry over."""
        return TaskQuery(
            **self.model_dump(exclude={"status", "created_at", "cursor", "q", "sort", "skip", "assignee"}),
            sort=self.sort,
            assignee={_ME: me.lower(), _NOBODY: ""}.get(self.assignee or "", self.assignee),
            text=self.q or "",
            skip=self.skip + (self.cursor.skip if self.cursor else 0),
            statuses=tuple(status for status in TaskStatus if status in self.status),
            created_before=None if self.created_at is None else math.ceil(self.created_at * MICROSECONDS),
            after=self.cursor.after if self.cursor else None,
        )

    def carried_over(self) -> dict[str, Any]:
        """Return the parameters that the link to the next page repeats: all but `skip` and `cursor`."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"skip", "cursor"})
