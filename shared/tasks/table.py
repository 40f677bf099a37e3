"""The tasks table: its keys and items, and the writes that transactions are made of."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from shared.tasks.indexes import INDEX_ATTRIBUTES, StatusShards, index_attributes, status_in
from shared.tasks.task import CONSTANT, KEPT_BY_STORE, Task, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from shared.aws import Item

_KEY_TTL = 24 * 60 * 60
"""Seconds for which an idempotency key is remembered."""
_ALWAYS_DIGESTED = {"title", "description", "status"}
"""Fields of version 1.0. Later ones are digested only if they are not their default, so that a request which
is repeated across a deployment still has its digest."""

_DEFAULTS = {field.name: field.default for field in fields(Task) if field.default is not MISSING}
_DYNAMODB_TYPES = {str: "S", int: "N", TaskStatus: "S", tuple: "L"}
_TYPES = {
    name: next(filter(None, map(_DYNAMODB_TYPES.get, (get_origin(hint), hint, *get_args(hint)))))
    for name, hint in get_type_hints(Task).items()
}
"""DynamoDB's type of each attribute. None is stored as NULL."""
_READ: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": int,
    "L": lambda texts: tuple(each["S"] for each in texts),
}


def task_key(task_id: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a task's item."""
    return {"pk": {"S": f"TASK#{task_id}"}}


def title_key(title: str) -> dict[str, AttributeValueTypeDef]:
    """Key of the item that holds a title."""
    return {"pk": {"S": f"TITLE#{title}"}}


def attributes(task: Task) -> dict[str, AttributeValueTypeDef]:
    """Convert the fields of a task to the attributes of an item."""
    return {name: _attribute(getattr(task, name)) for name in _TYPES}


def item_from_task(task: Task, shards: StatusShards) -> dict[str, AttributeValueTypeDef]:
    """Convert a task to its item."""
    partition_key = shards.partition_key(task.status, task.id)
    return {
        **task_key(task.id),
        **attributes(task),
        **index_attributes(task),
        "status": {"S": partition_key},
    }


def task_from_item(item: Item) -> Task:
    """Convert an item of the table, its index or its stream to a task.

    An optional attribute that is missing, or of a type that is not known yet, is read as its default.

    Raises:
        KeyError: the item lacks a required attribute.
        ValueError: an attribute has a value that it cannot have.
    """
    values: dict[str, Any] = {
        name: _READ[kind](item[name][kind])
        for name, kind in _TYPES.items()
        if name not in _DEFAULTS or kind in item.get(name, ())
    }
    return Task(**{**values, "status": status_in(item["status"]["S"])})


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
    names = sorted(item.keys() - CONSTANT - {"pk"})
    gone = sorted(set(INDEX_ATTRIBUTES) - item.keys())
    return {
        "Update": {
            "TableName": table,
            "Key": task_key(seen.id),
            "UpdateExpression": "SET "
            + ", ".join(f"#{name} = :{name}" for name in names)
            + (f" REMOVE {', '.join(gone)}" if gone else ""),
            "ConditionExpression": "#version = :seen",
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ExpressionAttributeValues": {
                ":seen": {"N": str(seen.version)},
                **{f":{name}": item[name] for name in names},
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
    """Record an idempotency key if it is new or expired."""
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


def digest_of(task: Task) -> bytes:
    """Hash of the fields that users set."""
    chosen = {
        name: value
        for name, value in attributes(task).items()
        if name not in KEPT_BY_STORE
        and (name in _ALWAYS_DIGESTED or getattr(task, name) != _DEFAULTS.get(name))
    }
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).digest()


def _attribute(value: str | int | tuple[str, ...] | None) -> AttributeValueTypeDef:
    match value:
        case None:
            return {"NULL": True}
        case tuple():
            return {"L": [{"S": each} for each in value]}
        case int():
            return {"N": str(value)}
        case _:
            return {"S": str(value)}
