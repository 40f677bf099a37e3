"""Items of the trash in the tasks table: a deleted task, until it is restored, purged or its time is over.

A task that is purged leaves an item that says by whom, for the stream to tell; DynamoDB removes it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from shared.tasks.table import attributes
from shared.tasks.task import Author, Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from shared.aws import Item

_RETENTION = 30 * 24 * 60 * 60
"""Seconds for which a deleted task is kept."""


def trash_key(task_id: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a deleted task's item."""
    return {"pk": {"S": f"TRASH#{task_id}"}}


def put_in_trash(table: str, deleted: Task, at: int) -> TransactWriteItemTypeDef:
    """Keep what was deleted at a Unix time in microseconds. The task is one attribute of the item."""
    return {
        "Put": {
            "TableName": table,
            "Item": {
                **trash_key(deleted.id),
                "task": {"M": attributes(deleted)},
                "deleted_at": {"N": str(at)},
                "expires_at": {"N": str(int(time.time()) + _RETENTION)},
            },
        }
    }


def is_in_trash(item: Item) -> bool:
    """Whether an item still has its task. DynamoDB can take days to remove one whose time is over."""
    return "task" in item and int(item["expires_at"]["N"]) > time.time()


class Purge(NamedTuple):
    """By whom a task was removed from the trash, and when, as a Unix time in microseconds."""

    author: Author
    at: int


def purge_from_item(item: Item) -> Purge:
    """Read what is left of a purged task."""
    username, request_id = item["purged_by"]["S"], item["request_id"]["S"]
    return Purge(Author(username, request_id), int(item["purged_at"]["N"]))
