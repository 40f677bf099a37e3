"""The tasks table's stream: put an event into the queue for each new task."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import STREAM
from shared.logs import event_handler, logger
from shared.metrics import count
from shared.tasks.events import EventQueue, TaskEvent, task_created
from shared.tasks.table import task_from_item

queue = EventQueue()


@event_handler(STREAM)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish in the stream's order. Lambda retries from the first record that failed.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    readable = [(record, each) for record in event["Records"] if (each := _event_of(record))]
    with deadline_of(context):
        published = queue.publish([each for _, each in readable])
    for _, each in readable[:published]:
        logger.info("event published", event_id=each.id, correlation_id=each.request_id)
    failed = [record["dynamodb"]["SequenceNumber"] for record, _ in readable[published : published + 1]]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _event_of(record: dict[str, Any]) -> TaskEvent | None:
    """Make the event of a record; None if no task can be read from it, which no retry mends."""
    try:
        return task_created(task_from_item(record["dynamodb"]["NewImage"]))
    except (KeyError, TypeError, ValueError):
        logger.exception("a record of the stream cannot be read", keys=record.get("dynamodb", {}).get("Keys"))
        count("UnexpectedError")
        return None
