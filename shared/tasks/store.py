"""Tasks in DynamoDB: the one place that knows the keys, the index and the transactions.

Three kinds of item share the table: `TASK#<uuid>` is a task, `TITLE#<title>` holds a title for one, and
`KEY#<user>#<key>` is an idempotency key that a task was created with. They are written in one transaction, so
titles are unique, and a retry creates nothing twice, without a read before the write.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools import Logger

from shared.aws import ConditionFailed, dynamodb_client, transact_write
from shared.errors import Contention, IdempotencyKeyReused, TaskNotFound, TitleTaken, VersionMismatch
from shared.tasks.status_index import StatusShards, status_of
from shared.tasks.task import Task, TaskDraft

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

Item = Mapping[str, Any]
"""An item as DynamoDB's client has it."""

logger = Logger(child=True)

_RACES = 5
_NEW_TITLE, _KEY = 1, 2
"""Positions of these writes in the transactions below."""
_FIXED = {"pk", "id", "created_at", "created_by"}
"""Attributes that no update changes."""
_OF_THE_STORE = {*_FIXED, "updated_at", "version"}
"""Attributes that no user chooses."""
_KEY_TTL = 24 * 60 * 60
"""Seconds for which an idempotency key is remembered."""


class NewTask(NamedTuple):
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
        shards: StatusShards | None = None,
    ) -> None:
        """Prepare the store.

        Args:
            on_commit: Called after each write, to invalidate caches. Without it the store is read-only.
            client: A DynamoDB client.
            table: The table's name; `TASKS_TABLE` by default.
            shards: How statuses are spread over the index; `STATUS_SHARDS` by default. Only creating and
                updating need it.
        """
        self._on_commit = on_commit
        self._client = client or dynamodb_client()
        self._table = table or os.environ["TASKS_TABLE"]
        self._shards = shards

    def create(self, draft: TaskDraft, *, created_by: str, key: str | None = None) -> NewTask:
        """Store a new task.

        Args:
            draft: Its title, description and status.
            created_by: The user's id.
            key: An idempotency key of the user: for a day, the same draft with it makes one task.

        Raises:
            TitleTaken: another task has this title.
            IdempotencyKeyReused: the user has used the key with another draft.
            Contention: other writers won every race.
        """
        now = _now()
        task = Task(
            id=str(uuid.uuid4()),
            title=draft.title,
            description=draft.description,
            status=draft.status,
            created_at=now,
            updated_at=now,
            created_by=created_by,
            version=1,
        )
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": self._item(task),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
            self._hold_title(task),
        ]
        if key is not None:
            writes.append(self._remember_key(key, task))
        try:
            self._write(*writes)
        except ConditionFailed as error:
            if first := error.failed.get(_KEY):
                return NewTask(self._replay(task, first), is_replay=True)
            raise TitleTaken(task.title, error.failed[_NEW_TITLE]["task_id"]["S"]) from error
        return NewTask(task, is_replay=False)

    def get(self, task_id: str) -> Task:
        """Read a task as the last write left it.

        Raises:
            TaskNotFound: there is none.
        """
        if not _is_task_id(task_id):
            raise TaskNotFound(task_id)
        found = self._client.get_item(TableName=self._table, Key=_task_key(task_id), ConsistentRead=True)
        if "Item" not in found:
            raise TaskNotFound(task_id)
        return task_from_item(found["Item"])

    def update(
        self, task_id: str, change: Callable[[Task], Task], *, versions: Collection[int] | None = None
    ) -> Task:
        """Change a task. A change that changes nothing writes nothing.

        Args:
            task_id: The task to change.
            change: Maps the task to the changed task. Called again on the new version after a lost race.
            versions: The versions the caller is willing to change; any, when None.

        Raises:
            TaskNotFound: there is no such task.
            TitleTaken: another task has the new title.
            VersionMismatch: the task is none of `versions`.
            Contention: other writers won every race.
        """
        for _ in range(_RACES):
            task = self._get_version(task_id, versions)
            changed = change(task)
            if changed == task:
                return task
            changed = replace(changed, version=task.version + 1, updated_at=_now())
            writes = [self._update_task(task, changed)]
            if changed.title != task.title:
                writes += [self._hold_title(changed), self._free_title(task)]
            try:
                self._write(*writes)
            except ConditionFailed as error:
                if error.failed.keys() == {_NEW_TITLE}:
                    holder = error.failed[_NEW_TITLE]["task_id"]["S"]
                    raise TitleTaken(changed.title, holder) from error
            else:
                return changed
        raise Contention

    def delete(self, task_id: str, *, versions: Collection[int] | None = None) -> None:
        """Remove a task and free its title.

        Args:
            task_id: The task to remove.
            versions: The versions the caller is willing to remove; any, when None.

        Raises:
            TaskNotFound: there is no such task.
            VersionMismatch: the task is none of `versions`.
            Contention: other writers won every race.
        """
        for _ in range(_RACES):
            task = self._get_version(task_id, versions)
            delete_task: TransactWriteItemTypeDef = {
                "Delete": {
                    "TableName": self._table,
                    "Key": _task_key(task_id),
                    "ConditionExpression": "version = :seen",
                    "ExpressionAttributeValues": {":seen": {"N": str(task.version)}},
                }
            }
            try:
                self._write(delete_task, self._free_title(task))
            except ConditionFailed:
                continue
            return
        raise Contention

    def _write(self, *writes: TransactWriteItemTypeDef) -> None:
        if self._on_commit is None:
            raise TypeError("This store is read-only: it was made without on_commit.")
        transact_write(self._client, *writes)
        try:
            self._on_commit()
        except Exception:
            logger.exception("the change is stored, but who listens could not be told")

    def _item(self, task: Task) -> dict[str, AttributeValueTypeDef]:
        self._shards = self._shards or StatusShards.from_environment()
        return item_from_task(task, self._shards)

    def _get_version(self, task_id: str, versions: Collection[int] | None) -> Task:
        task = self.get(task_id)
        if versions is not None and task.version not in versions:
            raise VersionMismatch
        return task

    def _update_task(self, seen: Task, changed: Task) -> TransactWriteItemTypeDef:
        item = self._item(changed)
        fields = sorted(item.keys() - _FIXED)
        return {
            "Update": {
                "TableName": self._table,
                "Key": _task_key(seen.id),
                "UpdateExpression": "SET " + ", ".join(f"#{field} = :{field}" for field in fields),
                "ConditionExpression": "#version = :seen",
                "ExpressionAttributeNames": {f"#{field}": field for field in fields},
                "ExpressionAttributeValues": {
                    ":seen": {"N": str(seen.version)},
                    **{f":{field}": item[field] for field in fields},
                },
            }
        }

    def _hold_title(self, task: Task) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": self._table,
                "Item": {**_title_key(task.title), "task_id": {"S": task.id}},
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _remember_key(self, key: str, task: Task) -> TransactWriteItemTypeDef:
        """Remember an idempotency key; one that has expired may still be there."""
        now = int(time.time())
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "pk": {"S": f"KEY#{task.created_by}#{key}"},
                    "task_id": {"S": task.id},
                    "created_at": {"N": str(task.created_at)},
                    "digest": {"B": self._digest(task)},
                    "expires_at": {"N": str(now + _KEY_TTL)},
                },
                "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _replay(self, task: Task, first: Item) -> Task:
        """Make the task that was created when its key was used first.

        Raises:
            IdempotencyKeyReused: it was another task.
        """
        if first["digest"]["B"] != self._digest(task):
            raise IdempotencyKeyReused
        created_at = int(first["created_at"]["N"])
        return replace(task, id=first["task_id"]["S"], created_at=created_at, updated_at=created_at)

    def _digest(self, task: Task) -> bytes:
        """Tell tasks apart by what users choose."""
        chosen = {name: value for name, value in self._item(task).items() if name not in _OF_THE_STORE}
        chosen["status"] = {"S": task.status}  # and not its shard, which depends on the id
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).digest()

    def _free_title(self, task: Task) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": _title_key(task.title)}}


def _now() -> int:
    return time.time_ns() // 1_000


def _is_task_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _task_key(task_id: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"TASK#{task_id}"}}


def _title_key(title: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"TITLE#{title}"}}


def item_from_task(task: Task, shards: StatusShards) -> dict[str, AttributeValueTypeDef]:
    """Convert a task to its item."""
    return {
        **_task_key(task.id),
        "id": {"S": task.id},
        "title": {"S": task.title},
        "description": {"NULL": True} if task.description is None else {"S": task.description},
        "status": {"S": shards.partition_key(task.status, task.id)},
        "created_at": {"N": str(task.created_at)},
        "updated_at": {"N": str(task.updated_at)},
        "created_by": {"S": task.created_by},
        "version": {"N": str(task.version)},
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
    )
