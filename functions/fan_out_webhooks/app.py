"""The queue of events for webhooks: make a delivery for each webhook that wants the event."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import QUEUE
from shared.logs import event_handler
from shared.messages import handle_each
from shared.webhooks.queue import DeliveryQueue
from shared.webhooks.store import WebhookStore

webhooks = WebhookStore()
deliveries = DeliveryQueue()


@event_handler(QUEUE)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Handle a batch; returns the messages that failed, which are fanned out again, as a whole."""
    with deadline_of(context):
        enabled = [webhook for webhook in webhooks.all() if webhook.enabled]

        def fan_out(record: SQSRecord) -> None:
            told = record.json_body["detail"]
            deliveries.send(told, [webhook.id for webhook in enabled if told["type"] in webhook.events])

        return handle_each(event, fan_out, context)
