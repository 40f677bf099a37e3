"""Tasks in DynamoDB: the one place that knows the keys, the index and the transactions.

Two kinds of item share the table: `TASK#<uuid>` is a task, `TITLE#<title>` holds a title for one. Both are
written in one transaction, so that a title is unique without a read before the write.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from shared.aws import ConditionFailed, dynamodb_client, transact_write
from shared.errors import Contention, TaskNotFound, TitleTaken, VersionMismatch
from shared.status_index import STATUS_INDEX, StatusShards, status_of
from shared.tasks import Task, TaskPage, TaskQuery, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    Item = Mapping[str, Any]

_RACES = 5
_READERS = 10
"""How many partitions of the index are asked at once: as many connections as botocore keeps open."""
_MOST_ITEMS = 1_000
"""More items than a query reads: it ends at 1 MB. See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""
_END_OF_TIME = 10**18
"""Later than any task, in microseconds."""
_TASK, _NEW_TITLE = 0, 1
"""Positions of these writes in the transactions below."""


class TaskStore:
    """The tasks table."""

    def __init__(
        self,
        client: DynamoDBClient | None = None,
        table: str | None = None,
        shards: StatusShards | None = None,
    ) -> None:
        self._client = client or dynamodb_client()
        self._table = table or os.environ["TASKS_TABLE"]
        self._shards = shards or StatusShards.parse(os.environ["STATUS_SHARDS"])
        self._readers = ThreadPoolExecutor(_READERS) if self._shards.read > 1 else None

    def create(self, *, title: str, description: str | None, status: TaskStatus, created_by: str) -> Task:
        """Store a new task.

        Raises:
            TitleTaken: another task has this title.
        """
        now = _now()
        task = Task(
            id=str(uuid.uuid4()),
            title=title,
            description=description,
            status=status,
            created_at=now,
            updated_at=now,
            created_by=created_by,
            version=1,
        )
        put_task: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": self._to_item(task),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        try:
            self._write(put_task, self._hold_title(task))
        except ConditionFailed as error:
            raise TitleTaken(title) from error
        return task

    def get(self, task_id: str) -> Task:
        """Read a task as the last write left it.

        Raises:
            TaskNotFound: there is none.
        """
        if not _is_task_id(task_id):
            raise TaskNotFound(task_id)
        answer = self._client.get_item(TableName=self._table, Key=_task_key(task_id), ConsistentRead=True)
        if "Item" not in answer:
            raise TaskNotFound(task_id)
        return task_from_item(answer["Item"])

    def update(
        self, task_id: str, changes: Mapping[str, Any], *, versions: Collection[int] | None = None
    ) -> Task:
        """Change a task's `title`, `description` or `status`.

        Args:
            task_id: The task to change.
            changes: New values by field name; fields that are absent stay as they are.
            versions: The versions the caller is willing to change; any, when None.

        Raises:
            TaskNotFound: there is no such task.
            TitleTaken: another task has the new title.
            VersionMismatch: the task is none of `versions`.
            Contention: other writers won every race.
        """
        for _ in range(_RACES):
            task = self._get_version(task_id, versions)
            changed = replace(task, **changes, version=task.version + 1, updated_at=_now())
            writes = [self._update_task(task, changed)]
            if changed.title != task.title:
                writes += [self._hold_title(changed), self._free_title(task)]
            try:
                self._write(*writes)
            except ConditionFailed as error:
                if error.failed == {_NEW_TITLE}:
                    raise TitleTaken(changed.title) from error
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

    def list(self, query: TaskQuery) -> TaskPage:
        """Read a page of tasks, newest first, from the status index.

        The index follows the table with a delay, usually of milliseconds. While a change of status is on
        its way, a task can be in two partitions: the newer version is the one listed.
        """
        bound = query.created_before if query.created_before is not None else _END_OF_TIME
        if query.after is not None:
            # Tasks of the cursor's own microsecond are read again, because some may come after it.
            bound = min(bound, query.after.created_at + 1)
        # A page's tasks are spread evenly over the shards, more or less.
        share = 1.5 / self._shards.read if self._shards.read > 1 else 1
        # Beside the page: the cursor's own task, one that tells whether a next page exists, and one that
        # closes a run of equal times.
        expected = math.ceil((query.skip + query.limit) * share) + 3
        partitions = [
            self._read_partition(partition_key, bound, expected)
            for status in ([query.status] if query.status else TaskStatus)
            for partition_key in self._shards.partition_keys(status)
        ]
        if self._readers:
            partitions = list(self._readers.map(_start, partitions))
        merged = heapq.merge(*partitions, key=attrgetter("position"), reverse=True)
        unique = (
            max(copies, key=attrgetter("version"))
            for _, copies in itertools.groupby(merged, key=attrgetter("position"))
        )
        following = (task for task in unique if query.after is None or task.position < query.after)
        tasks = list(itertools.islice(following, query.skip, query.skip + query.limit + 1))
        page = tasks[: query.limit]
        return TaskPage(page, next=page[-1].position if len(tasks) > query.limit else None)

    def _read_partition(self, partition_key: str, before: int, expected: int) -> Iterator[Task]:
        """Yield a partition's tasks by descending position, querying as far as they are asked for."""
        tasks = (task_from_item(item) for item in self._query(partition_key, before, expected))
        # DynamoDB leaves the order of equal sort keys open.
        for _, simultaneous in itertools.groupby(tasks, key=attrgetter("created_at")):
            yield from sorted(simultaneous, key=attrgetter("id"), reverse=True)

    def _query(self, partition_key: str, before: int, limit: int) -> Iterator[Item]:
        """Yield a partition's items, the newest first.

        The first query reads up to `limit` items, and each further one four times as many, within reason:
        while a migration moves tasks, most can be in one shard.
        """
        start: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName=self._table,
                IndexName=STATUS_INDEX,
                KeyConditionExpression="#status = :status AND created_at < :before",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": {"S": partition_key}, ":before": {"N": str(before)}},
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
            limit = max(limit, min(4 * limit, _MOST_ITEMS))

    def _write(self, *writes: TransactWriteItemTypeDef) -> None:
        transact_write(self._client, *writes)

    def _get_version(self, task_id: str, versions: Collection[int] | None) -> Task:
        task = self.get(task_id)
        if versions is not None and task.version not in versions:
            raise VersionMismatch
        return task

    def _update_task(self, seen: Task, changed: Task) -> TransactWriteItemTypeDef:
        item = self._to_item(changed)
        fields = ("title", "description", "status", "updated_at", "version")
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
            }
        }

    def _free_title(self, task: Task) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": _title_key(task.title)}}

    def _to_item(self, task: Task) -> dict[str, AttributeValueTypeDef]:
        return {
            **_task_key(task.id),
            "id": {"S": task.id},
            "title": {"S": task.title},
            "description": {"NULL": True} if task.description is None else {"S": task.description},
            "status": {"S": self._shards.partition_key(task.status, task.id)},
            "created_at": {"N": str(task.created_at)},
            "updated_at": {"N": str(task.updated_at)},
            "created_by": {"S": task.created_by},
            "version": {"N": str(task.version)},
        }


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


def task_from_item(item: Item) -> Task:
    """Read a task from its item, as the table and its stream have it."""
    return Task(
        id=item["id"]["S"],
        title=item["title"]["S"],
        description=item["description"].get("S"),
        status=status_of(item["status"]["S"]),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        created_by=item["created_by"]["S"],
        version=int(item["version"]["N"]),
    )


def _start(tasks: Iterator[Task]) -> Iterator[Task]:
    """Read as far as the first task."""
    return itertools.chain(list(itertools.islice(tasks, 1)), tasks)
