"""What is told of a task, and as what: JSON."""

from __future__ import annotations

import json

from shared.tasks import Task

MICROSECONDS = 1_000_000


def task_document(task: Task) -> dict[str, object]:
    """Present a task, without validating again what the service itself stored. Times are in seconds."""
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
