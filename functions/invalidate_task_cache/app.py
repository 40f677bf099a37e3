"""The tasks table's stream: make the cached list forget its pages, in case the writer could not."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.page_cache import PageCache

logger = Logger()
# Lambda itself waits between its tries.
cache = PageCache(leave_alone=0)


class CacheUnreachable(Exception):
    """The cache did not answer; Lambda tries again."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 (Lambda passes both)
    """Invalidate once for all records of the batch."""
    if not cache.invalidate():
        raise CacheUnreachable
