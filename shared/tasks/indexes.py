"""Indexes of the tasks table: by status and age, and by status and due date.

Both have one partition per status or several. A partition takes about 1,000 writes a second, and that the
newest tasks are all written to its end keeps DynamoDB from splitting it. So a status can be spread over
shards, each a partition of its own.

See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.tasks.order import Position
from shared.tasks.task import Task, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

STATUS_INDEX = "status-created_at-index"
DUE_INDEX = "status-due-index"

INDEX_ATTRIBUTES = ("assignee_status", "due")
"""Attributes of a task's item that only indexes need. A task without one of them is not in that index."""

MAX_SHARDS = 16


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
        """Name the partition that a task is written to: always the same one while its status is."""
        return _partition_key(status, uuid.UUID(task_id).int % self.written)

    def partition_keys(self, status: TaskStatus) -> list[str]:
        """Name the partitions where tasks of a status can be."""
        return [_partition_key(status, shard) for shard in range(self.read)]


def status_in(partition_key: str) -> TaskStatus:
    """Tell the status of the tasks in a partition."""
    return TaskStatus(partition_key.partition("#")[0])


def due_key(position: Position) -> str:
    """Sort key of the due index: the ids make it unique, because ends of days tie by the thousand."""
    return f"{position.at:012}#{position.task_id}"


def index_attributes(task: Task) -> dict[str, AttributeValueTypeDef]:
    """Return those of `INDEX_ATTRIBUTES` that a task has."""
    found: dict[str, AttributeValueTypeDef] = {}
    if task.assignee is not None:
        found["assignee_status"] = {"S": f"{task.assignee}#{task.status}"}
    if task.due_at is not None:
        found["due"] = {"S": due_key(Position(task.due_at, task.id))}
    return found


def _partition_key(status: TaskStatus, shard: int) -> str:
    # The first shard has the name of the only one: where there are no others, a status is just a status.
    return f"{status}#{shard}" if shard else status.value
