"""Messages of a queue, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from shared.logs import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Only failed messages are delivered again, not the rest of their batch.
_processor = BatchProcessor(
    EventType.SQS,
    logger=logger,  # type: ignore[arg-type]
    raise_on_entire_batch_failure=False,
)


def handle_each(
    event: dict[str, Any], handle: Callable[[SQSRecord], None], context: LambdaContext
) -> PartialItemFailureResponse:
    """Handle each message of a batch; returns those that failed."""
    return process_partial_response(event, handle, _processor, context)
