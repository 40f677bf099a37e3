"""Items of the tasks table: their keys, and what they say of tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.tasks.status_index import StatusShards, status_of
from shared.tasks.task import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = Mapping[str, Any]
"""An item as DynamoDB's client has it."""

FIXED = {"pk", "id", "created_at", "created_by", "request_id"}
"""Attributes of a task that no update changes."""
_OF_THE_STORE = {*FIXED, "updated_at", "version"}
"""Attributes of a task that no user chooses."""


def task_key(task_id: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a task's item."""
    return {"pk": {"S": f"TASK#{task_id}"}}


def title_key(title: str) -> dict[str, AttributeValueTypeDef]:
    """Key of the item that holds a title."""
    return {"pk": {"S": f"TITLE#{title}"}}


def item_from_task(task: Task, shards: StatusShards) -> dict[str, AttributeValueTypeDef]:
    """Convert a task to its item."""
    return {
        **task_key(task.id),
        "id": {"S": task.id},
        "title": {"S": task.title},
        "description": {"NULL": True} if task.description is None else {"S": task.description},
        "status": {"S": shards.partition_key(task.status, task.id)},
        "created_at": {"N": str(task.created_at)},
        "updated_at": {"N": str(task.updated_at)},
        "created_by": {"S": task.created_by},
        "version": {"N": str(task.version)},
        **({"request_id": {"S": task.request_id}} if task.request_id else {}),
    }


def task_from_item(item: Item) -> Task:
    """Convert an item of the table, its index or its stream to a task.

    An attribute that was added later can be missing, so read it with a default.
    """
    return Task(
        id=item["id"]["S"],
        title=item["title"]["S"],
        description=item.get("description", {}).get("S"),
        status=status_of(item["status"]["S"]),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        created_by=item["created_by"]["S"],
        version=int(item["version"]["N"]),
        request_id=item.get("request_id", {}).get("S"),
    )


def digest_of(task: Task) -> bytes:
    """Tell tasks apart by what users choose."""
    item = item_from_task(task, StatusShards())  # one shard, because another depends on the id
    chosen = {name: value for name, value in item.items() if name not in _OF_THE_STORE}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).digest()
