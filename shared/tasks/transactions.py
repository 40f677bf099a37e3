"""Transactions that change tasks, and the hook that tells a cache of each commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.aws import ConditionFailed, transact_write
from shared.errors import DomainError, TitleTaken, UnknownAssignee
from shared.logs import logger
from shared.tasks.task import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

RACES = 5
"""How often a change is retried after a lost race."""
TASK, NEW_TITLE = 0, 1
"""Positions of the writes of a task and of a title that it is to hold, in each transaction that has them."""


class Transactions:
    """Transactions on the tasks table and related tables."""

    def __init__(self, client: DynamoDBClient, on_commit: Callable[[], object] | None) -> None:
        """Prepare.

        Args:
            client: A DynamoDB client.
            on_commit: Called after each; without it nothing can be written.
        """
        self._client = client
        self._on_commit = on_commit

    def write(self, *writes: TransactWriteItemTypeDef) -> None:
        """Apply all writes or none: see `shared.aws.transact_write` for what it raises."""
        if self._on_commit is None:
            raise TypeError("This store is read-only: it was made without on_commit.")
        transact_write(self._client, *writes)
        self.tell()

    def tell(self) -> None:
        """Call the hook, also for a write that was applied before: its writer may have died first."""
        if self._on_commit is None:
            return
        try:
            self._on_commit()
        except Exception:
            logger.exception("change committed; commit hook failed")


def refusal(task: Task, error: ConditionFailed) -> DomainError:
    """Raise why a task cannot be written: its title is taken, or its assignee is not a user."""
    holder = error.failed.get(NEW_TITLE, {}).get("task_id")
    return TitleTaken(task.title, holder["S"]) if holder else UnknownAssignee(str(task.assignee))
