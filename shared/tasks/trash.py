"""The trash: deleted tasks, which can be restored until they expire."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self
from unicodedata import normalize

from shared import aws
from shared.aws import ConditionFailed, transact_write
from shared.errors import Contention, NotInTrash
from shared.schema import is_uuid
from shared.tasks.history import put_change
from shared.tasks.indexes import DUE_INDEX, StatusShards
from shared.tasks.table import create_task, hold_title
from shared.tasks.task import Author, Task, current_time
from shared.tasks.transactions import RACES, TASK, Transactions, refusal
from shared.tasks.trash_items import (
    PARTITION,
    TrashedTask,
    is_in_trash,
    purge_task,
    take_from_trash,
    trash_key,
    trashed_from_item,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TAKEN = 2
"""Position of the write that takes a task from the trash."""


class TrashPlace(NamedTuple):
    """Where a page of the trash begins: after a key of the index."""

    after: str

    def __str__(self) -> str:
        return f"trash/{self.after}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str` returns.

        Raises:
            ValueError: the text is something else.
        """
        match = re.fullmatch(r"trash/(\d{18}#[0-9a-f-]{36})", text, flags=re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is no place in the trash")
        return cls(match[1])


class TrashPage(NamedTuple):
    """A page of the trash, latest deletion first."""

    tasks: list[TrashedTask]
    next: TrashPlace | None
    """Position of the next page, if there may be one."""


class Trash:
    """The deleted tasks of the tasks table."""

    def __init__(
        self,
        on_commit: Callable[[], object] | None = None,
        *,
        client: DynamoDBClient | None = None,
        table: str | None = None,
        history: str | None = None,
        shards: StatusShards | None = None,
    ) -> None:
        """Prepare the store.

        Args:
            on_commit: Called after a task was restored. Without it, none can be.
            client: A DynamoDB client.
            table: The table's name; `TASKS_TABLE` by default.
            history: The name of the history table; `HISTORY_TABLE` by default. Only restoring needs it.
            shards: How statuses are spread over the index; `STATUS_SHARDS` by default. Only restoring needs
                it.
        """
        self._client = client or aws.client("dynamodb")
        self._transactions = Transactions(self._client, on_commit)
        self._table = table or os.environ["TASKS_TABLE"]
        self._given_history = history
        self._given_shards = shards

    def page(self, limit: int, place: TrashPlace | None = None) -> TrashPage:
        """Read a page of the trash; the index lags behind the table, usually by milliseconds.

        It ends after 1 MB, as each query does, and can be short where some tasks' time is over. See
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html

        Args:
            limit: How many tasks to return at most.
            place: Where the page begins; None for the first one.
        """
        answer = self._client.query(
            TableName=self._table,
            IndexName=DUE_INDEX,
            KeyConditionExpression="#status = :trash AND due < :after",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":trash": {"S": PARTITION},
                ":after": {"S": place.after if place else "~"},
            },
            ScanIndexForward=False,
            Limit=limit + 1,  # one more tells whether another page follows
        )
        items = answer["Items"][:limit]
        has_more = len(answer["Items"]) > limit or "LastEvaluatedKey" in answer
        tasks = [trashed_from_item(item) for item in items if is_in_trash(item)]
        return TrashPage(tasks, TrashPlace(items[-1]["due"]["S"]) if has_more else None)

    def restore(self, task_id: str, *, author: Author, title: str | None = None) -> Task:
        """Restore a deleted task, as a new version.

        Args:
            task_id: The task.
            author: Who restores it.
            title: Another title for it; its own by default.

        Raises:
            NotInTrash: it is not in the trash, or no longer.
            TitleTaken: another task has the title.
            Contention: other writers won every race.
        """
        for _ in range(RACES):
            task, now = self._get(task_id), current_time()
            restored = replace(
                task,
                title=title or normalize("NFC", task.title),  # version 1.0 stored titles in any normal form
                due_set_at=None if task.due_at is None else now,  # past dates send no reminders
                updated_at=now,
            ).next_version(author)
            try:
                self._transactions.write(
                    create_task(self._table, restored, self._shards),
                    hold_title(self._table, restored),
                    take_from_trash(self._table, task),
                    put_change(self._history, "task.restored", task, restored, now),
                )
            except ConditionFailed as error:
                if error.failed.keys().isdisjoint({TASK, _TAKEN}):
                    raise refusal(restored, error) from error
            else:
                return restored
        raise Contention

    def purge(self, task_id: str, *, author: Author) -> None:
        """Remove a task from the trash, for good. Its history is deleted after that.

        Raises:
            NotInTrash: it is not in the trash, or no longer.
            Contention: other writers won every race.
        """
        if not is_uuid(task_id):
            raise NotInTrash(task_id)
        try:
            # A transaction, because it can be repeated when its response is lost.
            transact_write(self._client, purge_task(self._table, task_id, author))
        except ConditionFailed as error:
            raise NotInTrash(task_id) from error

    def _get(self, task_id: str) -> Task:
        if not is_uuid(task_id):
            raise NotInTrash(task_id)
        found = self._client.get_item(TableName=self._table, Key=trash_key(task_id), ConsistentRead=True)
        if "Item" not in found or not is_in_trash(found["Item"]):
            raise NotInTrash(task_id)
        return trashed_from_item(found["Item"]).task

    @cached_property
    def _history(self) -> str:
        return self._given_history or os.environ["HISTORY_TABLE"]

    @cached_property
    def _shards(self) -> StatusShards:
        return self._given_shards or StatusShards.from_environment()
