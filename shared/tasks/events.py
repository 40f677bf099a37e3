"""Events of tasks, as messages in a queue."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws
from shared.errors import Unavailable
from shared.logs import logger
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.task import Task

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# What one call may carry; for a queue's messages together 256 KiB is the older and lower of two limits. See
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_MAX_MESSAGES = 10
_MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something that happened to a task."""

    type: str
    id: str
    """Stable across redeliveries; used to deduplicate."""
    task: TaskDocument
    request_id: str | None = None
    """The request that caused it."""


def task_created(task: Task) -> TaskEvent:
    """Make the event of a task that was stored."""
    return TaskEvent("task.created", f"task.created:{task.id}", task_document(task), task.request_id)


class EventQueue:
    """The queue of events."""

    def __init__(self, client: SQSClient | None = None, url: str | None = None) -> None:
        self._client = client or aws.client("sqs")
        self._url = url or os.environ["NOTIFICATIONS_QUEUE"]

    def publish(self, events: Sequence[TaskEvent]) -> int:
        """Put events into the queue, in order, as far as that succeeds.

        Returns:
            How many of them, from the first on, are in the queue.
        """
        sent = 0
        for batch in _batches(_to_message(event) for event in events):
            entries = [{"Id": str(position), "MessageBody": body} for position, body in enumerate(batch)]
            try:
                reply = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]
            except (Unavailable, BotoCoreError, ClientError):
                logger.exception("the queue cannot be reached")
                return sent
            if failed := reply.get("Failed"):
                logger.error("the queue refused events", failed=failed)
                return sent + min(int(entry["Id"]) for entry in failed)
            sent += len(batch)
        return sent


def _to_message(event: TaskEvent) -> str:
    """Write an event as JSON in ASCII, because SQS refuses some characters that titles may have."""
    return json.dumps(asdict(event))


def _batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    """Group ASCII texts, in order, so that each group fits one call."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        if len(batch) == _MAX_MESSAGES or size + len(body) > _MAX_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += len(body)
    if batch:
        yield batch
