"""JSON representation of a task, in responses and events."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from shared.schema import Schema, UnixTime, Uuid
from shared.tasks.task import (
    INTERNAL,
    MICROSECONDS,
    Description,
    DueAt,
    Status,
    Task,
    Title,
)

if TYPE_CHECKING:
    from shared.tasks.trash_items import TrashedTask


class TaskDocument(TypedDict):
    """A task."""

    id: Uuid
    title: Title
    description: Description | None
    status: Status
    assignee: Annotated[str | None, Schema(description="A username in lower case.", examples=["ada"])]
    due_at: DueAt | None
    labels: Annotated[list[str], Schema(examples=[["conference", "urgent"]])]
    created_at: UnixTime
    updated_at: UnixTime


class TrashedTaskDocument(TaskDocument):
    """A deleted task."""

    deleted_at: UnixTime
    expires_at: Annotated[UnixTime, Schema(description="Unix time at which it is removed for good.")]


_NAMES = [field.name for field in fields(Task) if field.name not in INTERNAL]


def task_document(task: Task) -> TaskDocument:
    """Represent a task."""
    seconds = {name: getattr(task, name) // MICROSECONDS for name in ("created_at", "updated_at")}
    document = {name: getattr(task, name) for name in _NAMES} | seconds
    return cast("TaskDocument", {**document, "labels": list(task.labels)})


def trashed_task_document(trashed: TrashedTask) -> TrashedTaskDocument:
    """Represent a deleted task."""
    deleted_at = trashed.deleted_at // MICROSECONDS
    return {**task_document(trashed.task), "deleted_at": deleted_at, "expires_at": trashed.expires_at}
