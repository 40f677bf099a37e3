"""Models of request bodies, forms and query strings: the one description of each."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from shared.api.paging import from_cursor
from shared.api.problems import FieldError, InvalidRequest
from shared.api.request import FORM, Request
from shared.api.response import JSON
from shared.documents import MICROSECONDS
from shared.tasks.task import Task, TaskQuery, TaskStatus

_LATEST = 253_402_300_799
"""The end of the year 9999, as a Unix time in seconds."""


class _Input(BaseModel):
    # Built when a request needs it: a function imports all models and uses one.
    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Validate a value.

        Raises:
            InvalidRequest: it is not valid; names each field that is not.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            raise InvalidRequest([_field_error(each) for each in details]) from error


class Body(_Input):
    """A JSON body; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")
    media_type: ClassVar = JSON

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not JSON, or not valid.
        """
        return cls.parse(request.json())


class Form(_Input):
    """A form; unknown fields are ignored, as OAuth 2 wants it (RFC 6749, section 3.2)."""

    media_type: ClassVar = FORM

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is no form, or not valid.
        """
        return cls.parse(request.form())


class Query(_Input):
    """A query string; unknown parameters are ignored."""

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """
        return cls.parse(request.query())


def _checked(cursor: str) -> str:
    from_cursor(cursor)
    return cursor


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=10_000)]


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
        """Make the changed task of a task."""
        return replace(task, **self.model_dump(exclude_unset=True))


class NewUser(Body):
    """A user to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: str = Field(
        pattern=r"^[A-Za-z0-9_.@-]{3,32}$",
        description="Unique. Names that differ in upper and lower case only are the same name.",
    )
    password: str = Field(min_length=8, max_length=128, description="At least 8 characters.")


class LoginForm(Form):
    """A username and a password, as OAuth 2's password flow sends them (RFC 6749, section 4.3.2)."""

    username: str = Field(min_length=1, max_length=128, description="Upper and lower case do not matter.")
    password: str = Field(min_length=1, max_length=1024, description="The user's password.")
    grant_type: Literal["password"] = Field("password", description="The only grant there is.")


class TaskListQuery(Query):
    """Which tasks to list, and which page of them."""

    status: TaskStatus | None = Field(None, description="Only tasks with this status.")
    # Decimal, because a float cannot hold today's time to the microsecond.
    created_at: Decimal | None = Field(
        None, ge=0, le=_LATEST, description="Only tasks created before this Unix time in seconds."
    )
    skip: int = Field(
        0,
        ge=0,
        le=10_000,
        description="How many tasks to skip. For deep pages follow the Link header.",
    )
    limit: int = Field(20, ge=1, le=100, description="How many tasks to return at most.")
    cursor: Annotated[str, AfterValidator(_checked)] | None = Field(
        None,
        description="Where the page begins; comes from a Link header. Its depth costs nothing.",
    )

    def to_task_query(self) -> TaskQuery:
        """Ask the same of the list of tasks."""
        return TaskQuery(
            limit=self.limit,
            skip=self.skip,
            status=self.status,
            created_before=None if self.created_at is None else math.ceil(self.created_at * MICROSECONDS),
            after=None if self.cursor is None else from_cursor(self.cursor),
        )


class DocsQuery(Query):
    """In which form to show the API's documentation."""

    format: Literal["html", "json"] = Field("html", description="A page, or the OpenAPI document.")


def _field_error(error: ErrorDetails) -> FieldError:
    field = ".".join(str(part) for part in error["loc"]) or "body"
    if error["type"] == "model_type":
        return {"field": field, "message": "Input should be an object"}
    return {"field": field, "message": str(error.get("ctx", {}).get("error") or error["msg"])}
