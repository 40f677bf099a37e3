"""What the local stack prints: what it started, each request, and the functions' own lines."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping

from local.gateway import RequestLogEntry
from local.triggers.poller import DeliveryLogEntry

_COLORS = {2: 32, 3: 36, 4: 33, 5: 31}
"""ANSI colors of the classes of status codes."""
_OF_EVERY_LOG_ENTRY = {
    "level", "message", "timestamp", "service", "location", "cold_start", "exception", "stack_trace",
    "function_name", "function_memory_size", "function_arn", "function_request_id", "xray_trace_id",
}  # fmt: skip
"""What Powertools' logger adds to each entry, and what is printed apart from the other fields."""


def request(entry: RequestLogEntry) -> None:
    """Print one line about a request that was answered."""
    status = _colored(str(entry.status), _COLORS[entry.status // 100])
    cache = f"cache {entry.cache}" if entry.cache else ""
    _event(status, entry.seconds, f"{entry.method:6} {entry.path}", entry.function or "no route", cache)


def delivery(entry: DeliveryLogEntry) -> None:
    """Print one line about a batch of a queue or a stream that a function was called with."""
    outcome = _colored("bad" if entry.failed else "ok ", _COLORS[5 if entry.failed else 2])
    what = f"{entry.size} from {entry.source}" + (f", {entry.failed} failed" if entry.failed else "")
    _event(outcome, entry.seconds, what, entry.function)


def function_line(function: str, line: str) -> None:
    """Print a line that a function wrote; one of structured JSON in a form for people."""
    for part in _legible(line).splitlines():
        say(f"{_colored(f'{function:>27} │', 2)} {part}")


def _legible(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    if "_aws" in entry:  # CloudWatch's embedded metric format
        groups = entry["_aws"]["CloudWatchMetrics"]
        names = [metric["Name"] for group in groups for metric in group["Metrics"]]
        return "metric " + " ".join(f"{name}={sum(entry[name]):g}" for name in names)
    if not {"level", "message"} <= entry.keys():
        return line
    if entry["message"] == "answered":
        return ""  # the request's own line says it
    rest = {name: value for name, value in entry.items() if name not in _OF_EVERY_LOG_ENTRY}
    traceback = f"\n{entry['exception']}" if "exception" in entry else ""
    return f"{entry['level']} {entry['message']}  {_pairs(rest)}{traceback}"


def _pairs(fields: Mapping[str, object]) -> str:
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())


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


def _event(outcome: str, seconds: float, what: str, function: str, note: str = "") -> None:
    moment = time.strftime("%H:%M:%S")
    say(f"{moment} {outcome} {seconds * 1000:6.0f} ms  {what}  {_colored(f'{function} {note}'.rstrip(), 2)}")


def _colored(text: str, code: int) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text
