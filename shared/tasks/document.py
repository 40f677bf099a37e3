"""JSON representation of a task, in responses and events."""

from __future__ import annotations

from dataclasses import fields
from typing import TypedDict, cast

from shared.schema import UnixTime, Uuid
from shared.tasks.task import INTERNAL, MICROSECONDS, Description, Status, Task, Title


class TaskDocument(TypedDict):
    """A task."""

    id: Uuid
    title: Title
    description: Description | None
    status: Status
    created_at: UnixTime
    updated_at: UnixTime


_NAMES = [field.name for field in fields(Task) if field.name not in INTERNAL]


def task_document(task: Task) -> TaskDocument:
    """Represent a task."""
    seconds = {name: getattr(task, name) // MICROSECONDS for name in ("created_at", "updated_at")}
    return cast("TaskDocument", {name: getattr(task, name) for name in _NAMES} | seconds)
