"""Indexes of the tasks table: by status and age, by status and due date, and by assignee, status and age.

The first two have one partition per status or several. A partition takes about 1,000 writes a second, and
that the newest tasks are all written to its end keeps DynamoDB from splitting it. So a status can be spread
over shards, each a partition of its own.

See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from shared.tasks.position import Position, Sort
from shared.tasks.query import TaskQuery
from shared.tasks.task import Task, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

STATUS_INDEX = "status-created_at-index"
DUE_INDEX = "status-due-index"
ASSIGNEE_INDEX = "assignee-created_at-index"

INDEX_ATTRIBUTES = ("assignee_status", "due")
"""Attributes of a task's item that only indexes need. A task without one of them is not in that index."""

MAX_SHARDS = 16

_END_OF_TIME = 10**18
"""Later than any creation, in microseconds."""


@dataclass(frozen=True, slots=True)
class StatusShards:
    """Over how many shards each status is spread.

    The two numbers differ while the count is changed: until all tasks have moved, they are read from more
    shards than they are written to.
    """

    written: int = 1
    read: int = 1

    @classmethod
    def from_environment(cls) -> Self:
        """Read the stack's parameter from `STATUS_SHARDS`."""
        return cls.parse(os.environ["STATUS_SHARDS"])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the stack's parameter: `8`, or `1/8` for written to one shard and read from eight.

        Raises:
            ValueError: the text is neither.
        """
        match = re.fullmatch(r"(\d{1,2})(?:/(\d{1,2}))?", text, flags=re.ASCII)
        written, read = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= written <= read <= MAX_SHARDS:
            raise ValueError(
                f"{text!r} is no number of shards: give one from 1 to {MAX_SHARDS}, or, "
                "while it is changed, written/read such as 1/8"
            )
        return cls(written, read)

    def partition_key(self, status: TaskStatus, task_id: str) -> str:
        """Name the partition that a task is written to; it depends on the status and the id alone."""
        return _partition_key(status, uuid.UUID(task_id).int % self.written)

    def partition_keys(self, status: TaskStatus) -> list[str]:
        """Name the partitions where tasks of a status can be."""
        return [_partition_key(status, shard) for shard in range(self.read)]


class Part(NamedTuple):
    """A range of an index: some partitions, between two values of the sort key, inclusive."""

    index_name: str
    partition_key: str
    sort_key: str
    first: AttributeValueTypeDef
    last: AttributeValueTypeDef
    partitions: Sequence[str]
    """Empty, if nothing can lie between the two."""


def part_for(query: TaskQuery, shards: StatusShards) -> Part:
    """Choose the smallest range of an index, in the list's order, that has all of the list."""
    statuses = query.statuses or TaskStatus
    partitions = [name for status in statuses for name in shards.partition_keys(status)]
    if query.sort is Sort.DUE_AT:
        first = "0" if query.due_after is None else f"{query.due_after + 1:012}"
        last = "~" if query.due_before is None else f"{query.due_before:012}"
        if query.after is not None:
            first = max(first, due_key(query.after))
        found = partitions if first <= last else []
        return Part(DUE_INDEX, "status", "due", {"S": first}, {"S": last}, found)
    newest = _END_OF_TIME if query.created_before is None else query.created_before - 1
    if query.after is not None:
        # Tasks of the cursor's own microsecond are read again, because some may come after it.
        newest = min(newest, query.after.at)
    name, partition_key = STATUS_INDEX, "status"
    if query.assignee:
        name, partition_key = ASSIGNEE_INDEX, "assignee_status"
        partitions = [assignee_partition(query.assignee, status) for status in statuses]
    found = partitions if newest >= 0 else []
    return Part(name, partition_key, "created_at", {"N": "0"}, {"N": str(newest)}, found)


def status_in(partition_key: str) -> TaskStatus:
    """Find the status of the tasks in a partition."""
    return TaskStatus(partition_key.partition("#")[0])


def due_key(position: Position) -> str:
    """Sort key of the due index: the ids make it unique, because ends of days tie by the thousand."""
    return f"{position.at:012}#{position.task_id}"


def assignee_partition(assignee: str, status: TaskStatus) -> str:
    """Name the partition of the assignee index for a user's tasks with a status."""
    return f"{assignee}#{status}"


def index_attributes(task: Task) -> dict[str, AttributeValueTypeDef]:
    """Return the task's index attributes, a subset of `INDEX_ATTRIBUTES`."""
    found: dict[str, AttributeValueTypeDef] = {}
    if task.assignee is not None:
        found["assignee_status"] = {"S": assignee_partition(task.assignee, task.status)}
    if task.due_at is not None:
        found["due"] = {"S": due_key(Position(task.due_at, task.id))}
    return found


def _partition_key(status: TaskStatus, shard: int) -> str:
    # The first shard's name is the status itself, as without shards.
    return f"{status}#{shard}" if shard else status.value
