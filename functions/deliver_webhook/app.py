"""The queue of deliveries: call a webhook, or let the delivery wait."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import aws
from shared.deadline import deadline_of
from shared.errors import Unavailable
from shared.event_sources import QUEUE
from shared.logs import event_handler, logger
from shared.metrics import count
from shared.webhooks.delivery import Deliverer, Delivery

deliverer = Deliverer()
sqs = aws.client("sqs")


@event_handler(QUEUE)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a message; one to retry stays in the queue, hidden until then."""
    with deadline_of(context):
        failed = [record["messageId"] for record in event["Records"] if not _is_done(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_done(record: dict[str, Any]) -> bool:
    try:
        delivery = Delivery.from_record(record)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        logger.exception("a delivery cannot be read")
        count("UnexpectedError")
        return False
    logger.set_correlation_id(delivery.request_id)
    try:
        pause = deliverer.deliver(delivery)
        if pause is None:
            return True
        sqs.change_message_visibility(
            QueueUrl=os.environ["WEBHOOK_DELIVERIES_QUEUE"],
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=pause,
        )
    except Unavailable:
        logger.exception("a delivery could not be tried; it is hidden for as long as the queue says")
    return False
