"""The time that Lambda leaves for a request; every wait on the network checks it first."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN = 0.5
"""Seconds reserved for invalidating the cache, and for writing and logging the response."""

# Of all threads: an execution environment handles one request at a time.
_end = math.inf


@contextmanager
def deadline_of(context: LambdaContext) -> Iterator[None]:
    """Set the deadline of a request from Lambda's context; a context without a clock sets none."""
    global _end
    if hasattr(context, "get_remaining_time_in_millis"):
        _end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _MARGIN
    try:
        yield
    finally:
        _end = math.inf


def remaining() -> float:
    """Seconds until the deadline; infinity without one."""
    return _end - time.monotonic()
