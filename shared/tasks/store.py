"""Tasks in DynamoDB, and the transactions that change them.

Four kinds of item share the table: `TASK#<uuid>` is a task, `TITLE#<title>` holds a title for one,
`KEY#<user>#<key>` is an idempotency key that a task was created with, and `TRASH#<uuid>` keeps a deleted one.
They are written in one transaction, so titles are unique, and a retry creates nothing twice, without a read
before the write. The change's entry in the history is a part of the transaction, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from shared import aws
from shared.aws import ConditionFailed, Item
from shared.errors import (
    Contention,
    IdempotencyKeyReused,
    TaskNotFound,
    VersionMismatch,
)
from shared.schema import is_uuid
from shared.tasks.history import put_change
from shared.tasks.indexes import StatusShards
from shared.tasks.table import (
    create_task,
    delete_task,
    digest_of,
    free_title,
    hold_title,
    remember_key,
    task_from_item,
    task_key,
    update_task,
)
from shared.tasks.task import NOBODY, Author, Task, current_time
from shared.tasks.transactions import RACES, TASK, Transactions, refusal
from shared.tasks.trash_items import put_in_trash
from shared.users.table import user_exists

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_DAY = 24 * 60 * 60
_KEY = 2
"""Position of the write of an idempotency key in the transaction of a new task."""


class Created(NamedTuple):
    """A task that was created."""

    task: Task
    is_replay: bool
    """Whether an earlier request with the same idempotency key created it."""


class TaskStore:
    """The tasks table."""

    def __init__(
        self,
        on_commit: Callable[[], object] | None = None,
        *,
        client: DynamoDBClient | None = None,
        table: str | None = None,
        users: str | None = None,
        history: str | None = None,
        shards: StatusShards | None = None,
    ) -> None:
        """Prepare the store.

        Args:
            on_commit: Called after each write, to invalidate caches, and when a write turns out to be done
                already: its writer may have died before the call. Without it the store is read-only.
            client: A DynamoDB client.
            table: The table's name; `TASKS_TABLE` by default.
            users: The name of the users table; `USERS_TABLE` by default. Only assigning needs it.
            history: The name of the history table; `HISTORY_TABLE` by default. Only writing needs it.
            shards: How statuses are spread over the index; `STATUS_SHARDS` by default. Only creating and
                updating need it.
        """
        self._client = client or aws.client("dynamodb")
        self._transactions = Transactions(self._client, on_commit)
        self._table = table or os.environ["TASKS_TABLE"]
        self._given_users = users
        self._given_history = history
        self._given_shards = shards

    def create(self, task: Task, *, key: str | None = None) -> Created:
        """Store a new task.

        Args:
            task: The task.
            key: An idempotency key of the user: for a day, the same request with it creates one task.

        Raises:
            TitleTaken: another task has this title.
            UnknownAssignee: the assignee is not a user.
            IdempotencyKeyReused: the user has used the key for another task.
            Contention: other writers won every race.
        """
        writes = [create_task(self._table, task, self._shards), hold_title(self._table, task)]
        if key is not None:
            writes.append(remember_key(self._table, key, task))
        if task.assignee:
            writes.append(user_exists(self._users, task.assignee))
        writes.append(put_change(self._history, "task.created", None, task, task.created_at))
        try:
            self._transactions.write(*writes)
        except ConditionFailed as error:
            if key is not None and (first := error.failed.get(_KEY)):
                replay = self._replay(task, first)
                self._transactions.tell()
                return Created(replay, is_replay=True)
            raise refusal(task, error) from error
        return Created(task, is_replay=False)

    def get(self, task_id: str) -> Task:
        """Read a task as the last write left it.

        Raises:
            TaskNotFound: there is none.
        """
        if not is_uuid(task_id):
            raise TaskNotFound(task_id)
        found = self._client.get_item(TableName=self._table, Key=task_key(task_id), ConsistentRead=True)
        if "Item" not in found:
            raise TaskNotFound(task_id)
        return task_from_item(found["Item"])

    def update(
        self,
        task_id: str,
        change: Callable[[Task], Task],
        *,
        author: Author = NOBODY,
        versions: Collection[int] | None = None,
    ) -> Task:
        """Change a task. A change that changes nothing writes nothing.

        Args:
            task_id: The task to change.
            change: Maps the task to the changed task. Called again on the new version after a lost race.
            author: Who changes it.
            versions: The versions the caller is willing to change; any, when None.

        Raises:
            TaskNotFound: there is no such task.
            TitleTaken: another task has the new title.
            UnknownAssignee: the new assignee is not a user.
            VersionMismatch: the task's version is not one of `versions`.
            Contention: other writers won every race.
        """
        for _ in range(RACES):
            task = self._get_version(task_id, versions)
            changed = change(task)
            if changed == task:
                self._transactions.tell()
                return task
            now = current_time()
            due_set_at = now if changed.due_at != task.due_at else task.due_set_at
            changed = changed.next_version(author, updated_at=now, due_set_at=due_set_at)
            writes = [update_task(self._table, task, changed, self._shards)]
            if changed.title != task.title:
                writes += [hold_title(self._table, changed), free_title(self._table, task)]
            if changed.assignee and changed.assignee != task.assignee:
                writes.append(user_exists(self._users, changed.assignee))
            writes.append(put_change(self._history, "task.updated", task, changed, now))
            try:
                self._transactions.write(*writes)
            except ConditionFailed as error:
                if TASK not in error.failed:
                    raise refusal(changed, error) from error
            else:
                return changed
        raise Contention

    def delete(
        self, task_id: str, *, author: Author = NOBODY, versions: Collection[int] | None = None
    ) -> None:
        """Move a task to the trash and free its title.

        Args:
            task_id: The task to remove.
            author: Who removes it.
            versions: The versions the caller is willing to remove; any, when None.

        Raises:
            TaskNotFound: there is no such task.
            VersionMismatch: the task's version is not one of `versions`.
            Contention: other writers won every race.
        """
        for _ in range(RACES):
            task, now = self._get_version(task_id, versions), current_time()
            deleted = task.next_version(author)
            try:
                self._transactions.write(
                    delete_task(self._table, task),
                    free_title(self._table, task),
                    put_in_trash(self._table, deleted, now, self._retention),
                    put_change(self._history, "task.deleted", task, deleted, now),
                )
            except ConditionFailed:
                continue
            return
        raise Contention

    @cached_property
    def _users(self) -> str:
        return self._given_users or os.environ["USERS_TABLE"]

    @cached_property
    def _history(self) -> str:
        return self._given_history or os.environ["HISTORY_TABLE"]

    @cached_property
    def _retention(self) -> int:
        return int(os.environ["TRASH_RETENTION"]) * _DAY

    @cached_property
    def _shards(self) -> StatusShards:
        return self._given_shards or StatusShards.from_environment()

    def _get_version(self, task_id: str, versions: Collection[int] | None) -> Task:
        task = self.get(task_id)
        if versions is not None and task.version not in versions:
            raise VersionMismatch
        return task

    def _replay(self, task: Task, first: Item) -> Task:
        """Return the task that the first request with the key created.

        Raises:
            IdempotencyKeyReused: it was another task.
        """
        if first["digest"]["B"] != digest_of(task):
            raise IdempotencyKeyReused
        created_at = int(first["created_at"]["N"])
        return replace(task, id=first["task_id"]["S"], created_at=created_at, updated_at=created_at)
