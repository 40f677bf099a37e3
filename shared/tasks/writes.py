"""The writes that transactions on the tasks table are made of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.tasks.items import FIXED, digest_of, item_from_task, task_key, title_key
from shared.tasks.status_index import StatusShards
from shared.tasks.task import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_KEY_TTL = 24 * 60 * 60
"""Seconds for which an idempotency key is remembered."""


def create_task(table: str, task: Task, shards: StatusShards) -> TransactWriteItemTypeDef:
    """Put a new task."""
    return {
        "Put": {
            "TableName": table,
            "Item": item_from_task(task, shards),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }


def update_task(table: str, seen: Task, changed: Task, shards: StatusShards) -> TransactWriteItemTypeDef:
    """Change a task, if it is still the version that was seen. Unknown attributes stay as they are."""
    item = item_from_task(changed, shards)
    fields = sorted(item.keys() - FIXED)
    return {
        "Update": {
            "TableName": table,
            "Key": task_key(seen.id),
            "UpdateExpression": "SET " + ", ".join(f"#{field} = :{field}" for field in fields),
            "ConditionExpression": "#version = :seen",
            "ExpressionAttributeNames": {f"#{field}": field for field in fields},
            "ExpressionAttributeValues": {
                ":seen": {"N": str(seen.version)},
                **{f":{field}": item[field] for field in fields},
            },
        }
    }


def delete_task(table: str, seen: Task) -> TransactWriteItemTypeDef:
    """Delete a task, if it is still the version that was seen."""
    return {
        "Delete": {
            "TableName": table,
            "Key": task_key(seen.id),
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": {":seen": {"N": str(seen.version)}},
        }
    }


def hold_title(table: str, task: Task) -> TransactWriteItemTypeDef:
    """Hold a task's title, if no other task does; a failure says which."""
    return {
        "Put": {
            "TableName": table,
            "Item": {**title_key(task.title), "task_id": {"S": task.id}},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def free_title(table: str, task: Task) -> TransactWriteItemTypeDef:
    """Free a task's title."""
    return {"Delete": {"TableName": table, "Key": title_key(task.title)}}


def remember_key(table: str, key: str, task: Task) -> TransactWriteItemTypeDef:
    """Remember an idempotency key, if it is new; one that has expired may still be there."""
    now = int(time.time())
    return {
        "Put": {
            "TableName": table,
            "Item": {
                "pk": {"S": f"KEY#{task.created_by}#{key}"},
                "task_id": {"S": task.id},
                "created_at": {"N": str(task.created_at)},
                "digest": {"B": digest_of(task)},
                "expires_at": {"N": str(now + _KEY_TTL)},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(now)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
