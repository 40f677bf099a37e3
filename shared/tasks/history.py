"""The history of each task: an item for each change, written in the change's own transaction."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from shared import aws
from shared.aws import Item
from shared.errors import TaskNotFound, Unavailable
from shared.logs import logger
from shared.schema import is_uuid
from shared.tasks.changes import ChangeDocument, ChangeType, changes_between
from shared.tasks.table import task_key
from shared.tasks.task import MICROSECONDS, Task
from shared.tasks.trash_items import is_in_trash, trash_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

_ENDLESS = 10**18
"""Above all versions."""
_BATCH = 25
"""Deletions in one call. See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
_PAUSES = (0.05, 0.1, 0.2, 0)
"""Seconds to wait after each try for items that the table was too busy for."""


class HistoryPlace(NamedTuple):
    """Where a page of a history begins: below a version."""

    before: int

    def __str__(self) -> str:
        return f"history/{self.before}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str` returns.

        Raises:
            ValueError: the text is something else.
        """
        match = re.fullmatch(r"history/([1-9]\d{0,17})", text, flags=re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is no place in a history")
        return cls(int(match[1]))


class HistoryPage(NamedTuple):
    """A page of a task's history, the newest change first."""

    changes: list[ChangeDocument]
    next: HistoryPlace | None
    """Position of the next page, if there is one."""


def put_change(
    table: str, kind: ChangeType, before: Task | None, after: Task, at: int
) -> TransactWriteItemTypeDef:
    """Put a change into the history.

    Args:
        table: The history table.
        kind: What was done.
        before: The task before it; None if it is new.
        after: The task after it, which says who did it.
        at: When, as a Unix time in microseconds.
    """
    item: dict[str, AttributeValueTypeDef] = {
        "task_id": {"S": after.id},
        "version": {"N": str(after.version)},
        "type": {"S": kind},
        "at": {"N": str(at)},
        "changes": {"S": json.dumps(changes_between(before, after), ensure_ascii=False)},
    }
    names = {"by": after.changed_by, "api_key": after.api_key}
    item |= {attribute: {"S": name} for attribute, name in names.items() if name is not None}
    return {"Put": {"TableName": table, "Item": item}}


class TaskHistory:
    """The history table."""

    def __init__(
        self, client: DynamoDBClient | None = None, table: str | None = None, tasks: str | None = None
    ) -> None:
        """Prepare the store.

        Args:
            client: A DynamoDB client.
            table: The table's name; `HISTORY_TABLE` by default.
            tasks: The name of the tasks table; `TASKS_TABLE` by default.
        """
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["HISTORY_TABLE"]
        self._tasks = tasks or os.environ["TASKS_TABLE"]

    def page(self, task_id: str, limit: int, place: HistoryPlace | None = None) -> HistoryPage:
        """Read a page of the history of a task, which may be in the trash.

        It ends after 1 MB, as each query does. See
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html

        Args:
            task_id: The task.
            limit: How many changes to return at most.
            place: Where the page begins; None for the newest change.

        Raises:
            TaskNotFound: there is no such task, nor was it deleted lately.
        """
        if not is_uuid(task_id) or not self._has(task_id):
            raise TaskNotFound(task_id)
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="task_id = :task AND version < :before",
            ExpressionAttributeValues={
                ":task": {"S": task_id},
                ":before": {"N": str(place.before if place else _ENDLESS)},
            },
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit + 1,  # one more tells whether another page follows
        )
        changes = [change_from_item(item) for item in answer["Items"][:limit]]
        has_more = len(answer["Items"]) > limit or "LastEvaluatedKey" in answer
        return HistoryPage(changes, HistoryPlace(changes[-1]["version"]) if has_more else None)

    def purge(self, task_id: str) -> None:
        """Delete the history of a task that is gone; idempotent.

        If the task still exists, it keeps its history: an old event can be redelivered after its table was
        restored.

        Raises:
            Unavailable: there was no time for all of it.
        """
        if self._has(task_id):
            logger.warning("the task is there, and keeps its history", task_id=task_id)
            return
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="task_id = :task",
            ExpressionAttributeValues={":task": {"S": task_id}},
            ProjectionExpression="task_id, version",
            ConsistentRead=True,
        )
        for page in pages:
            for start in range(0, len(page["Items"]), _BATCH):
                self._delete(page["Items"][start : start + _BATCH])

    def _delete(self, keys: list[Any]) -> None:
        pending: Any = {self._table: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for pause in _PAUSES:
            pending = self._client.batch_write_item(RequestItems=pending)["UnprocessedItems"]
            if not pending:
                return
            time.sleep(pause)
        raise Unavailable

    def _has(self, task_id: str) -> bool:
        """Whether a task exists, on the list or in the trash."""
        # Once more as a task, because it may be restored between the first look and the second.
        keys = (task_key(task_id), trash_key(task_id), task_key(task_id))
        return any(map(self._is_there, keys))

    def _is_there(self, key: dict[str, AttributeValueTypeDef]) -> bool:
        found = self._client.get_item(TableName=self._tasks, Key=key, ConsistentRead=True)
        item = found.get("Item")
        return item is not None and ("title" in item or is_in_trash(item))


def change_from_item(item: Item) -> ChangeDocument:
    """Represent an item of the history."""
    username, api_key = (item[name]["S"] if name in item else None for name in ("by", "api_key"))
    return {
        "version": int(item["version"]["N"]),
        "at": int(item["at"]["N"]) // MICROSECONDS,
        "by": api_key or username,
        "key_of": username if api_key else None,
        "type": item["type"]["S"],
        "changes": json.loads(item["changes"]["S"]),
    }
