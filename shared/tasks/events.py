"""Events of tasks: CloudEvents, most of them made of records of the table's stream.

See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict

from shared.aws import Item
from shared.schema import Schema, Uuid
from shared.tasks.changes import changes_between
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.table import task_from_item
from shared.tasks.task import MICROSECONDS, NOBODY, Task
from shared.tasks.trash_items import purge_from_item

EventType = Literal[
    "task.created", "task.updated", "task.deleted", "task.restored", "task.purged", "task.due"
]

RESTORED_AT = "restored_at"
"""Attribute of items that came back with a restored table: when that was, as a Unix time in seconds."""


class TaskEventDataDocument(TypedDict):
    """What happened to a task."""

    task: TaskDocument
    version: Annotated[int, Schema(description="Raised by every change: an event of a lower one is older.")]
    changes: Annotated[
        dict[str, list[Any]],
        Schema(
            description="Of an update, each field that has another value: what it was, and what it is.",
            examples=[{"status": ["PENDING", "IN_PROGRESS"]}],
        ),
    ]
    by: Annotated[str | None, Schema(description="The user who did it, if one did.", examples=["ada"])]
    request_id: Annotated[str | None, Schema(description="The request that did it, which the logs have too.")]


class TaskEventDocument(TypedDict):
    """An event of a task, as CloudEvents 1.0 has it in JSON."""

    specversion: Literal["1.0"]
    id: Annotated[
        str,
        Schema(
            description="Stable across redeliveries, to deduplicate by.",
            examples=["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10:1"],
        ),
    ]
    source: Annotated[str, Schema(format="uri-reference", examples=["/task-api/tasks"])]
    type: EventType
    subject: Annotated[Uuid, Schema(description="The task's id.")]
    time: Annotated[
        str, Schema(format="date-time", description="When it happened.", examples=["2026-01-01T00:00:00Z"])
    ]
    datacontenttype: Literal["application/json"]
    data: TaskEventDataDocument


def event_of(record: Mapping[str, Any]) -> TaskEventDocument | None:
    """Make the event of a stream record; None if the record is not a change of a task.

    Raises:
        KeyError, TypeError, ValueError: no task can be read from it.
    """
    images = record["dynamodb"]
    kind = images["Keys"]["pk"]["S"].partition("#")[0]
    before, after = images.get("OldImage"), images.get("NewImage")
    if after is not None and RESTORED_AT in after and after[RESTORED_AT] != (before or {}).get(RESTORED_AT):
        return None  # `make restore` has written it, and nobody has changed the task
    if kind == "TRASH":
        return _event_of_trash(before, after, by_dynamodb="userIdentity" in record)
    if kind != "TASK" or after is None:
        return None
    task, time = task_from_item(after), _time(after, "updated_at")
    if before is None:
        return _event("task.created" if task.version == 1 else "task.restored", task, time)
    old = task_from_item(before)
    if task.version == old.version:  # only its index attributes changed, by a migration
        return None
    return _event("task.updated", task, time, old)


def _event_of_trash(
    before: Item | None, after: Item | None, *, by_dynamodb: bool
) -> TaskEventDocument | None:
    """Make the event of a change in the trash.

    Args:
        before: The item before the change.
        after: The item after it.
        by_dynamodb: Whether it was removed because its time to live was over. See
            https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    if before is None and after is not None:
        return _event("task.deleted", task_from_item(after["task"]["M"]), _time(after, "deleted_at"))
    if before is None or "task" not in before or (after is not None and "task" in after):
        return None  # only its index attributes changed, or TTL removed the item of a purged task
    task = task_from_item(before["task"]["M"])
    if after is not None:
        purge = purge_from_item(after)
        return _event("task.purged", task.next_version(purge.author), _rfc_3339(purge.at / MICROSECONDS))
    if by_dynamodb:
        return _event("task.purged", task.next_version(NOBODY), _rfc_3339(int(before["expires_at"]["N"])))
    return None  # restored


def due_event(task: Task) -> TaskEventDocument:
    """Make the event of a task that becomes due: always the same one for a due date.

    Raises:
        ValueError: it has no due date.
    """
    if task.due_at is None:
        raise ValueError(f"{task.id} has no due date")
    event = _event("task.due", replace(task, changed_by=None, request_id=None), _rfc_3339(task.due_at))
    return {**event, "id": f"{task.id}:due:{task.due_at}"}


def _event(kind: EventType, task: Task, time: str, old: Task | None = None) -> TaskEventDocument:
    return {
        "specversion": "1.0",
        "id": f"{task.id}:{task.version}",
        "source": f"/{os.environ['POWERTOOLS_SERVICE_NAME']}/tasks",
        "type": kind,
        "subject": task.id,
        "time": time,
        "datacontenttype": "application/json",
        "data": {
            "task": task_document(task),
            "version": task.version,
            "changes": changes_between(old, task) if old else {},
            "by": task.changed_by,
            "request_id": task.request_id,
        },
    }


def _time(item: Item, attribute: str) -> str:
    return _rfc_3339(int(item[attribute]["N"]) / MICROSECONDS)


def _rfc_3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
