"""The notifications queue: send a notification of each event, once, even if it is delivered again."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import aws
from shared.deadline import deadline_of
from shared.errors import TaskNotFound
from shared.event_sources import QUEUE
from shared.logs import event_handler, logger
from shared.messages import handle_each
from shared.metrics import count
from shared.notifications import LogNotifier, Notifier
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.store import TaskStore
from shared.tasks.task import TaskStatus

DAY = 24 * 60 * 60

notifier: Notifier = LogNotifier()
tasks = TaskStore()
notified = DynamoDBPersistenceLayer(os.environ["NOTIFIED_TABLE"], boto3_client=aws.client("dynamodb"))
once = IdempotencyConfig(
    event_key_jmespath="id",
    raise_on_no_idempotency_key=True,
    # Longer than an event can be in transit: 1 day in the stream, 14 in the bucket of unpublished events,
    # 1 in the bus, 4 in the queue, and 14 among the dead letters.
    expires_after_seconds=35 * DAY,
)


@idempotent_function(data_keyword_argument="event", persistence_store=notified, config=once)  # type: ignore[untyped-decorator]
def notify(event: dict[str, Any]) -> None:
    """Send the notification of an event, unless it was sent before.

    Raises:
        ValueError: the type of the event is unknown.
    """
    match event["type"]:
        case "task.created":
            notifier.task_created(event["task"])
        case "task.due":
            if not (task := still_due(event["task"])):
                return
            aws.need_time_for(1)  # the read took some
            notifier.task_due(task)
        case _:
            raise ValueError(f"unknown type of event: {event['type']!r}")
    count("NotificationSent")


def still_due(task: dict[str, Any]) -> TaskDocument | None:
    """Read the task; None if it was moved, completed, deleted or restored since it became due."""
    try:
        now = tasks.get(task["id"])
    except TaskNotFound:
        return None
    is_due = now.due_at == task["due_at"] and now.reminds and now.status is not TaskStatus.COMPLETED
    return task_document(now) if is_due else None


def handle(record: SQSRecord) -> None:
    """Handle one message."""
    logger.set_correlation_id(None)  # or an unreadable message would log the ID of the last one
    event = _notification(record.json_body)
    logger.set_correlation_id(event.get("request_id"))
    aws.need_time_for(2)  # or it could be sent, but not recorded as sent
    notify(event=event)


def _notification(message: dict[str, Any]) -> dict[str, Any]:
    """Parse a message: an event of the bus, or version 1.1's form of it, which can wait for days."""
    if "detail" not in message:
        return message
    event = message["detail"]
    # Version 1.1 knows the notification of a new task by the task's id.
    known_as = event["subject"] if event["type"] == "task.created" else event["id"]
    return {**event["data"], "type": event["type"], "id": f"{event['type']}:{known_as}"}


@event_handler(QUEUE)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Handle a batch; returns the messages that failed."""
    once.register_lambda_context(context)
    with deadline_of(context):
        return handle_each(event, handle, context)
