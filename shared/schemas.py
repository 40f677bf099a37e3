"""The bodies of the HTTP API as pydantic models: they validate what comes in, and document both ways."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from shared.tasks import Position, Task, TaskStatus

MICROSECONDS = 1_000_000

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=10_000)]
Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{3,32}$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]


def _read_cursor(value: object) -> Position:
    if not isinstance(value, str):
        raise ValueError("give one cursor")  # noqa: TRY004 (pydantic reports a ValueError)
    return Position.from_cursor(value)


Cursor = Annotated[Position, PlainValidator(_read_cursor), WithJsonSchema({"type": "string"})]


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


# A field that may be absent, but when it is there must be valid: null is not "absent".
_ABSENT: Any = Field(default=None, json_schema_extra=_no_default)

_TASK_EXAMPLE: JsonDict = {
    "id": "7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10",
    "title": "Book the venue",
    "description": "Room for 40, with a projector",
    "status": "PENDING",
    "created_at": 1767225600,
    "updated_at": 1767225600,
}


class _RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTask(_RequestBody):
    """A task to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Book the venue", "description": "Room for 40, with a projector"}]
        }
    )

    title: Title = Field(description="Unique among all tasks; surrounding white space is dropped.")
    description: Description | None = None
    status: TaskStatus = TaskStatus.PENDING


class TaskChanges(_RequestBody):
    """What to change about a task; fields that are absent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"status": "IN_PROGRESS"}]})

    title: Title = _ABSENT
    description: Description | None = Field(
        default=None, description="null clears it.", json_schema_extra=_no_default
    )
    status: TaskStatus = _ABSENT

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one of title, description and status")
        return self


class TaskDocument(BaseModel):
    """A task. Times are Unix times in whole seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TASK_EXAMPLE]})

    id: str
    title: str
    description: str | None
    status: TaskStatus
    created_at: int
    updated_at: int


def task_document(task: Task) -> dict[str, object]:
    """Present a task as a `TaskDocument`, without validating again what the service itself stored."""
    return {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "created_at": task.created_at // MICROSECONDS,
        "updated_at": task.updated_at // MICROSECONDS,
    }


def to_json(body: object) -> str:
    """Write a body as JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


class NewUser(_RequestBody):
    """A user to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: Username = Field(description="Unique; upper and lower case are the same name.")
    password: Password


class UserDocument(BaseModel):
    """A user. `created_at` is a Unix time in whole seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34",
                    "username": "ada",
                    "created_at": 1767225600,
                }
            ]
        }
    )

    id: str
    username: str
    created_at: int


class TokenDocument(BaseModel):
    """An access token (RFC 6749, section 5.1). `expires_in` is in seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_in": 3600}]
        }
    )

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(
        default_factory=list, description="With status 422: each field that is wrong, and why."
    )
