"""What the document says of each route, beside what the template says: who answers, where, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from openapi.bodies import TaskDocument, TokenDocument, UserDocument
from openapi.responses import Responses, problems, reference, success
from shared import schemas
from shared.errors import (
    BadCredentials,
    SignUpDisabled,
    TaskNotFound,
    TitleTaken,
    UsernameTaken,
    VersionMismatch,
)
from shared.http import FORM, JSON
from shared.schemas import RequestSchema

_TASK = reference(TaskDocument)
_NOT_FOUND = TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10")
_TAKEN = TitleTaken("Book the venue")


@dataclass(frozen=True)
class Operation:
    """An operation; its id is the name of the function's folder."""

    summary: str
    tag: str
    responses: Responses
    body: RequestSchema | None = None
    media_type: str = JSON
    query: RequestSchema | None = None
    header: str | None = None


OPERATIONS = {
    "create_user": Operation(
        "Sign up",
        "Users",
        success(HTTPStatus.CREATED, "The new user", schema=reference(UserDocument))
        | problems(UsernameTaken("ada"), SignUpDisabled(), signed_in=False),
        body=schemas.NEW_USER,
    ),
    "login": Operation(
        "Sign in",
        "Users",
        success(HTTPStatus.OK, "An access token", schema=reference(TokenDocument))
        | problems(BadCredentials(), signed_in=False),
        body=schemas.LOGIN_FORM,
        media_type=FORM,
    ),
    "create_task": Operation(
        "Create a task",
        "Tasks",
        success(HTTPStatus.CREATED, "The new task", "Location", "ETag", schema=_TASK) | problems(_TAKEN),
        body=schemas.NEW_TASK,
    ),
    "list_tasks": Operation(
        "List tasks",
        "Tasks",
        success(HTTPStatus.OK, "A page of tasks", "Link", "X-Cache", schema={"type": "array", "items": _TASK})
        | problems(),
        query=schemas.LIST_QUERY,
    ),
    "get_task": Operation(
        "Read a task",
        "Tasks",
        success(HTTPStatus.OK, "The task", "ETag", schema=_TASK)
        | success(HTTPStatus.NOT_MODIFIED, "The task is the version that If-None-Match names", "ETag")
        | problems(_NOT_FOUND),
        header="If-None-Match",
    ),
    "update_task": Operation(
        "Change a task",
        "Tasks",
        success(HTTPStatus.OK, "The changed task", "ETag", schema=_TASK)
        | problems(_NOT_FOUND, _TAKEN, VersionMismatch()),
        body=schemas.TASK_CHANGES,
        header="If-Match",
    ),
    "delete_task": Operation(
        "Delete a task",
        "Tasks",
        success(HTTPStatus.NO_CONTENT, "The task is gone") | problems(_NOT_FOUND, VersionMismatch()),
        header="If-Match",
    ),
}
