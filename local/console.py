"""What the local stack prints: what it started, each request, and the functions' own lines."""

from __future__ import annotations

import contextlib
import logging
import sys
import time

from local.gateway import RequestLogEntry

_COLORS = {2: 32, 3: 36, 4: 33, 5: 31}
"""ANSI colors of the classes of status codes."""


def request(entry: RequestLogEntry) -> None:
    """Print one line about a request that was answered."""
    status = _colored(str(entry.status), _COLORS[entry.status // 100])
    function = entry.function or "no route"
    say(
        f"{time.strftime('%H:%M:%S')} {status} {entry.seconds * 1000:6.0f} ms  "
        f"{entry.method:6} {entry.path}  {_colored(function, 2)}"
    )


def function_line(function: str, line: str) -> None:
    """Print a line that a function wrote."""
    say(f"{_colored(f'{function:>20} │', 2)} {line}")


def quiet_sam() -> None:
    """Keep SAM CLI from warning of what is in order: a token that is refused, an answer without a body."""
    expected = ("Lambda authorizer failed to invoke", "Lambda returned empty body")
    logger = logging.getLogger("samcli.local.apigw.local_apigw_service")
    logger.addFilter(lambda record: not str(record.msg).startswith(expected))


def say(text: str) -> None:
    """Print a line at once, whole even when threads print at the same time."""
    with contextlib.suppress(BrokenPipeError):  # who read this has left; the API goes on
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _colored(text: str, code: int) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text
