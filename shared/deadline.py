"""The time that Lambda leaves for a request: whoever waits asks here first whether there is enough."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN = 0.5
"""Seconds that are left to tell the cache, write the response and log it."""

# Of all threads: an execution environment handles one request at a time.
_end = math.inf


@contextmanager
def deadline_of(context: LambdaContext) -> Iterator[None]:
    """Handle a request within the time that Lambda has for it; a context without a clock sets no end."""
    global _end
    if hasattr(context, "get_remaining_time_in_millis"):
        _end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _MARGIN
    try:
        yield
    finally:
        _end = math.inf


def remaining() -> float:
    """Tell how many seconds are left; without a deadline, infinitely many."""
    return _end - time.monotonic()
