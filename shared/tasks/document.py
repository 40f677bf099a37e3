"""The JSON representation of a task, in responses and events."""

from __future__ import annotations

from typing import Annotated, TypedDict

from shared.documents import MICROSECONDS, Schema, UnixTime, Uuid
from shared.tasks.task import Task, TaskStatus


class TaskDocument(TypedDict):
    """A task."""

    id: Uuid
    title: Annotated[str, Schema(examples=["Book the venue"])]
    description: Annotated[str | None, Schema(examples=["Room for 40, with a projector"])]
    status: TaskStatus
    created_at: UnixTime
    updated_at: UnixTime


def task_document(task: Task) -> TaskDocument:
    """Represent a task."""
    return {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "created_at": task.created_at // MICROSECONDS,
        "updated_at": task.updated_at // MICROSECONDS,
    }
