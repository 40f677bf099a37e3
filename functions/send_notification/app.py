"""The notifications queue: notify each event once, however often it is delivered."""

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import dynamodb_client
from shared.metrics import count
from shared.notifications import LogNotifier, Notifier

DAY = 24 * 60 * 60

logger = Logger()
notifier: Notifier = LogNotifier()
# A failed message is reported and comes again; the others of its batch do not.
processor = BatchProcessor(
    EventType.SQS,
    logger=logger,  # type: ignore[arg-type]
    raise_on_entire_batch_failure=False,
)
notified = DynamoDBPersistenceLayer(os.environ["NOTIFIED_TABLE"], boto3_client=dynamodb_client())
once = IdempotencyConfig(
    event_key_jmespath="id",
    raise_on_no_idempotency_key=True,
    # Longer than an event can be on its way: 1 day in the stream, 4 in the queue, 14 among the dead letters.
    expires_after_seconds=20 * DAY,
)


@idempotent_function(data_keyword_argument="event", persistence_store=notified, config=once)  # type: ignore[untyped-decorator]
def notify(event: dict[str, Any]) -> None:
    """Notify an event, unless that was done before.

    Raises:
        ValueError: nothing is known of such an event.
    """
    if event["type"] != "task.created":
        raise ValueError(f"unknown type of event: {event['type']!r}")
    notifier.task_created(event["task"])
    count("NotificationSent")


def handle(record: SQSRecord) -> None:
    """Handle one message."""
    notify(event=record.json_body)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Handle a batch; answers which of its messages failed."""
    once.register_lambda_context(context)
    return process_partial_response(event, handle, processor, context)
