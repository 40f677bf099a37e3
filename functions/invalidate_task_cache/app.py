"""The tasks table's stream: invalidate the cached list, in case the writer could not."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.event_sources import STREAM
from shared.logs import event_handler
from shared.tasks.pages import task_list_cache

cache = task_list_cache()


@event_handler(STREAM)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 (Lambda passes both)
    """Invalidate once for the whole batch; all of it is retried when the cache does not respond.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    failed = [] if cache.invalidate() else event["Records"][:1]
    return {
        "batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in failed]
    }
