"""Items of the trash in the tasks table: a deleted task, until it is restored, purged or its time is over.

A task that is purged leaves an item that says by whom, for the stream to tell; DynamoDB removes it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from shared.tasks.table import attributes, task_from_item
from shared.tasks.task import MICROSECONDS, Author, Task, current_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from shared.aws import Item

PARTITION = "TRASH"
"""The partition of `status-due-index` that lists the trash. Its sort key is when a task was deleted, not when
it is due."""


class TrashedTask(NamedTuple):
    """A task that was deleted."""

    task: Task
    deleted_at: int
    """Unix time in microseconds."""
    expires_at: int
    """Unix time in seconds, until which it is kept."""


def trash_key(task_id: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a deleted task's item."""
    return {"pk": {"S": f"TRASH#{task_id}"}}


def trash_index_attributes(task_id: str, deleted_at: int) -> dict[str, AttributeValueTypeDef]:
    """Return the index attributes of a task deleted at a Unix time in microseconds."""
    return {"status": {"S": PARTITION}, "due": {"S": f"{deleted_at:018}#{task_id}"}}


def put_in_trash(table: str, deleted: Task, at: int, retention: int) -> TransactWriteItemTypeDef:
    """Put a deleted task into the trash. The task is one attribute of the item, so that no list has it.

    Args:
        table: The tasks table.
        deleted: The task, in the version that its deletion made.
        at: When it was deleted, as a Unix time in microseconds.
        retention: For how many seconds it is kept.
    """
    return {
        "Put": {
            "TableName": table,
            "Item": {
                **trash_key(deleted.id),
                **trash_index_attributes(deleted.id, at),
                "task": {"M": attributes(deleted)},
                "deleted_at": {"N": str(at)},
                "expires_at": {"N": str(at // MICROSECONDS + retention)},
            },
        }
    }


def take_from_trash(table: str, seen: Task) -> TransactWriteItemTypeDef:
    """Delete the item of a task, if it is still the version that was seen."""
    return {
        "Delete": {
            "TableName": table,
            "Key": trash_key(seen.id),
            "ConditionExpression": "#task.version = :seen",
            "ExpressionAttributeNames": {"#task": "task"},
            "ExpressionAttributeValues": {":seen": {"N": str(seen.version)}},
        }
    }


def purge_task(table: str, task_id: str, author: Author) -> TransactWriteItemTypeDef:
    """Replace a deleted task by the user who purged it. Fails if it is missing or expired."""
    now = current_time()
    left: dict[str, AttributeValueTypeDef] = {
        "purged_at": {"N": str(now)},
        "expires_at": {"N": str(now // MICROSECONDS)},
    }
    known = {"purged_by": author.username, "request_id": author.request_id}
    left |= {name: {"S": text} for name, text in known.items() if text is not None}
    return {
        "Update": {
            "TableName": table,
            "Key": trash_key(task_id),
            "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in left)} "
            "REMOVE #task, deleted_at, #status, due",
            "ConditionExpression": "attribute_exists(#task) AND expires_at > :expires_at",
            "ExpressionAttributeNames": {"#task": "task", "#status": "status"},
            "ExpressionAttributeValues": {f":{name}": value for name, value in left.items()},
        }
    }


def is_in_trash(item: Item) -> bool:
    """Whether an item still has its task. DynamoDB can take days to remove one whose time is over."""
    return "task" in item and int(item["expires_at"]["N"]) > time.time()


def trashed_from_item(item: Item) -> TrashedTask:
    """Convert an item to the task that was deleted."""
    return TrashedTask(
        task_from_item(item["task"]["M"]), int(item["deleted_at"]["N"]), int(item["expires_at"]["N"])
    )


class Purge(NamedTuple):
    """The author of a purge, and its Unix time in microseconds."""

    author: Author
    at: int


def purge_from_item(item: Item) -> Purge:
    """Read the remaining item of a purged task."""
    username, request_id = (item.get(name, {}).get("S") for name in ("purged_by", "request_id"))
    return Purge(Author(username, request_id), int(item["purged_at"]["N"]))
