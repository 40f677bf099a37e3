"""The tasks table's stream: put an event into the queue for each new task."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.tasks.events import EventQueue, task_created
from shared.tasks.items import task_from_item

logger = Logger()
queue = EventQueue()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish in the stream's order. Lambda retries from the first record that failed.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    records = [record["dynamodb"] for record in event["Records"]]
    events = [task_created(task_from_item(record["NewImage"])) for record in records]
    with deadline_of(context):
        published = queue.publish(events)
    for each in events[:published]:
        logger.info("event published", event_id=each.id, correlation_id=each.request_id)
    failed = records[published : published + 1]
    return {"batchItemFailures": [{"itemIdentifier": record["SequenceNumber"]} for record in failed]}
