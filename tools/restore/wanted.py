"""Which items of a copy come back, for each table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from shared.aws import Item
from shared.tasks.events import RESTORED_AT
from shared.tasks.table import task_key
from shared.tasks.trash_items import trash_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Wanted = Callable[[Sequence[Item]], Iterable[tuple[Item, Item]]]
"""Chooses items of a copy; returns each with the item to write if the table has another state."""
_BATCH = 100
"""Limit of a batch read."""


def all_of(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Choose all items that have not expired."""
    return [(item, item) for item in items if not has_expired(item)]


def all_but_sessions(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Choose all items of the users table except sessions, because revoked ones cannot be told apart."""
    return [pair for pair in all_of(items) if not pair[0]["username"]["S"].startswith("session#")]


def tasks(restored_at: int) -> Wanted:
    """Choose all items of the tasks table that have not expired, and mark restored tasks.

    The mark keeps the stream from publishing them as events. Their version is higher than any that they had,
    because versions are entity tags and parts of event ids: a reused version would be mistaken for the state
    before the restore.

    Args:
        restored_at: Unix time that identifies this restore.
    """

    def choose(items: Sequence[Item]) -> list[tuple[Item, Item]]:
        return [(item, _marked(item, restored_at)) for item, _ in all_of(items)]

    return choose


def _marked(item: Item, restored_at: int) -> Item:
    mark = {RESTORED_AT: {"N": str(restored_at)}}
    kind = item["pk"]["S"].partition("#")[0]
    if kind == "TASK":
        return {**item, **_raised(item, restored_at), **mark}
    if kind == "TRASH" and "task" in item:
        task = item["task"]["M"]
        return {**item, "task": {"M": {**task, **_raised(task, restored_at)}}, **mark}
    return item


def _raised(task: Item, restored_at: int) -> dict[str, Any]:
    version = int(task["version"]["N"])
    return {"version": {"N": str(max(version + 1, restored_at))}}


def histories(client: DynamoDBClient, tasks_table: str) -> Wanted:
    """Choose the histories of existing tasks; restore the tasks table first."""

    def choose(items: Sequence[Item]) -> list[tuple[Item, Item]]:
        ids = {item["task_id"]["S"] for item in items}
        keys = [make(id_) for id_ in ids for make in (task_key, trash_key)]
        found = [
            item["pk"]["S"].partition("#")[2]
            for start in range(0, len(keys), _BATCH)
            for item in read_items(client, tasks_table, keys[start : start + _BATCH])
        ]
        return [(item, item) for item in items if item["task_id"]["S"] in found]

    return choose


def read_items(client: DynamoDBClient, table: str, keys: Sequence[Item]) -> list[Item]:
    """Read up to 100 items by their keys; missing ones are left out."""
    found: list[Item] = []
    pending: Any = list(keys)
    while pending:
        reply = client.batch_get_item(RequestItems={table: {"Keys": pending, "ConsistentRead": True}})
        found += reply["Responses"][table]
        pending = reply["UnprocessedKeys"][table]["Keys"] if reply["UnprocessedKeys"] else []
    return found


def has_expired(item: Item) -> bool:
    """Whether an item's TTL is over; DynamoDB can take days to remove it."""
    return "expires_at" in item and int(item["expires_at"]["N"]) <= time.time()
