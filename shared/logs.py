"""The log of a function: each record is one line of JSON, has a bound, and holds no secret.

Logging never raises.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, wraps
from traceback import format_exception
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from shared.event_sources import expect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MAX_TEXT = 8_000
"""Characters of a value."""
MAX_RECORD = 128_000
"""Bytes of a record: CloudWatch takes no more than 256 KB. Values of a longer record are cut."""
_LEAST_SECRET = 8
"""Characters; no password is shorter, and to mask a shorter text would garble others."""
_MASK = "***"
_API_KEY = re.compile("tsk_[0-9a-f]{8,}")
"""An API key, or a part of one, wherever it comes from: see `shared.users.api_key`."""
_OURS = {
    "level", "location", "timestamp", "service", "cold_start", "function_name", "function_memory_size",
    "function_arn", "function_request_id", "xray_trace_id", "correlation_id", "user_id", "method", "status",
}  # fmt: skip
"""Values that hold no secret, and are not masked even where a password occurs in them."""

_concealed: deque[str] = deque(maxlen=32)
"""Secrets of the current request. Code that uses a secret adds it here, also a cached one."""

_Returned = TypeVar("_Returned")


def conceal(secret: str) -> str:
    """Mask a secret in the log from now on, in errors too; returns it."""
    if len(secret) >= _LEAST_SECRET:
        _concealed.append(secret)
    return secret


def forget() -> None:
    """Forget the secrets of the request before."""
    _concealed.clear()
    _forms.cache_clear()


def masked(text: str) -> str:
    """Mask the secrets in a text."""
    of_redis = unquote(urlsplit(os.environ.get("REDIS_URL", "")).password or "")
    secrets = {*_concealed, of_redis} if len(of_redis) >= _LEAST_SECRET else _concealed
    for secret in sorted(secrets, key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, _MASK)
    return _API_KEY.sub(_MASK, text)


@lru_cache(maxsize=64)
def _forms(secret: str) -> set[str]:
    """Yield the spellings of a secret: its own, and those in errors and URLs."""
    quoted = [quotes(secret, safe="", errors="surrogatepass") for quotes in (quote, quote_plus)]
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], *quoted}


def event_handler(
    *sources: str,
) -> Callable[[Callable[[dict[str, Any], LambdaContext], _Returned]], Callable[[Any, Any], _Returned]]:
    """Make a Lambda handler of a function that no HTTP request calls: its records have the context.

    Lambda itself logs an error that is raised, so one whose text holds a secret is logged here, and raised
    without it.

    Args:
        sources: What may call it, of `shared.event_sources`; anything else is an `UnexpectedEvent`.
    """

    def decorate(
        handle: Callable[[dict[str, Any], LambdaContext], _Returned],
    ) -> Callable[[Any, Any], _Returned]:
        @wraps(handle)
        def guarded(event: dict[str, Any], context: LambdaContext) -> _Returned:
            expect(event, *sources)
            forget()
            try:
                return handle(event, context)
            except Exception as error:
                text = "".join(format_exception(error))  # Lambda may print causes and notes
                if masked(text) == text:
                    raise
                logger.exception("function failed")
                raise RuntimeError(f"{type(error).__name__}: {masked(str(error))}") from None

        handler: Callable[[Any, Any], _Returned] = logger.inject_lambda_context(guarded, clear_state=True)
        return handler

    return decorate


class _Formatter(LambdaPowertoolsFormatter):
    def serialize(self, log: Any) -> str:
        line = self._cut(log, MAX_TEXT)
        return line if len(line) <= MAX_RECORD else self._cut(log, MAX_TEXT // 20)

    def _cut(self, log: dict[str, Any], most: int) -> str:
        return _line({name: _writable(value, most, name in _OURS) for name, value in log.items()})


class _Handler(logging.StreamHandler[Any]):
    def emit(self, record: logging.LogRecord) -> None:
        for stream in (self.stream, sys.stderr):
            with suppress(Exception):
                stream.write(f"{self._line(record)}\n")
                stream.flush()
                return

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:
            what = record.exc_info[1] if record.exc_info else None
            return _line(
                {
                    "level": record.levelname,
                    "message": _writable(record.msg),
                    "exception_name": type(what).__name__,
                    "exception": _writable(what),
                    "log_error": type(error).__name__,
                }
            )


def _line(log: dict[str, Any]) -> str:
    """Write a record in ASCII: no text of a client's can end the line or control a terminal."""
    return json.dumps(log, separators=(",", ":"))


def _writable(value: object, most: int = MAX_TEXT, ours: bool = False) -> Any:
    """Convert any value to JSON, cut and masked; one that cannot be converted, to the name of its type."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str, allow_nan=False)
        shown = text if ours else masked(text)
        if len(shown) > most:
            shown = f"{shown[: most // 2]} … {shown[-most // 2 :]}"
        return shown if isinstance(value, str) or shown != text else json.loads(text)
    except Exception:
        return f"<{type(value).__name__}>"


logger = Logger(logger_formatter=_Formatter(serialize_stacktrace=False), logger_handler=_Handler(sys.stdout))
