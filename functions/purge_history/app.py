"""The queue of purged tasks: delete the history of each."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import QUEUE
from shared.logs import event_handler, logger
from shared.messages import handle_each
from shared.tasks.history import TaskHistory

history = TaskHistory()


def handle(record: SQSRecord) -> None:
    """Handle one message. An interrupted one is delivered again, and continues."""
    event = record.json_body["detail"]
    logger.set_correlation_id(event["data"]["request_id"])
    history.purge(event["subject"])


@event_handler(QUEUE)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Handle a batch; returns the messages that failed."""
    with deadline_of(context):
        return handle_each(event, handle, context)
