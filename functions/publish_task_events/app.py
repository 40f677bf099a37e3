"""The tasks table's stream: put an event on the bus for each change of a task."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import STREAM
from shared.logs import event_handler, logger
from shared.metrics import count
from shared.tasks.bus import EventBus
from shared.tasks.events import TaskEventDocument, event_of

bus = EventBus()


@event_handler(STREAM)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish in the stream's order. Lambda retries from the first record that failed.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    changes = [(record, each) for record in event["Records"] if (each := _event_of(record))]
    with deadline_of(context):
        published = bus.publish([each for _, each in changes])
    for _, each in changes[:published]:
        request_id = each["data"]["request_id"]
        logger.info("event published", type=each["type"], event_id=each["id"], correlation_id=request_id)
    failed = [record["dynamodb"]["SequenceNumber"] for record, _ in changes[published : published + 1]]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _event_of(record: dict[str, Any]) -> TaskEventDocument | None:
    """Make the event of a record; None if it has no readable task, which retries cannot fix."""
    try:
        return event_of(record)
    except (AttributeError, KeyError, TypeError, ValueError):
        logger.exception("a record of the stream cannot be read", keys=record.get("dynamodb", {}).get("Keys"))
        count("UnexpectedError")
        return None
