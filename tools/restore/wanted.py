"""What of a copy comes back, table by table."""

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
"""Chooses items of a copy: each with what is written if the table has something else."""
_BATCH = 100
"""What a batch of reads takes."""


def all_of(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Choose all that has not expired since."""
    return [(item, item) for item in items if not has_expired(item)]


def all_but_sessions(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Choose of the users table all but sessions: some were revoked since, and nobody can tell which."""
    return [pair for pair in all_of(items) if not pair[0]["username"]["S"].startswith("session#")]


def tasks(restored_at: int) -> Wanted:
    """Choose of the tasks table all that has not expired, and mark the tasks that come back.

    The mark keeps them from being told as events. Their version is above each that they have had, because
    versions are entity tags, and parts of events' ids: one that came again would be taken for what it was
    before the restore.

    Args:
        restored_at: When, as a Unix time, by which this restore is told from others.
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
    """Choose the histories of tasks that are there; the tasks table must have been restored."""

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
    """Read items by their keys, at most 100, those that there are."""
    found: list[Item] = []
    pending: Any = list(keys)
    while pending:
        reply = client.batch_get_item(RequestItems={table: {"Keys": pending, "ConsistentRead": True}})
        found += reply["Responses"][table]
        pending = reply["UnprocessedKeys"][table]["Keys"] if reply["UnprocessedKeys"] else []
    return found


def has_expired(item: Item) -> bool:
    """Whether the time of an item is over; DynamoDB can take days to remove it."""
    return "expires_at" in item and int(item["expires_at"]["N"]) <= time.time()
