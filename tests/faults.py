"""Faults of AWS calls, such as throttling and lost responses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

Send = Callable[[Any], Any]


class Response(io.BytesIO):
    """The body of a response, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def refusal(status: int, code: str, *reasons: str) -> AWSResponse:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]  # type: ignore[assignment]
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse("http://dynamodb", status, headers, Response(json.dumps(body).encode()))  # type: ignore[no-untyped-call]


def lost(send: Send, request: Any) -> Any:
    """The call arrives, but its response is lost."""
    send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def slow(send: Send, request: Any) -> Any:
    """The call does not arrive, and times out."""
    raise ReadTimeoutError(endpoint_url=request.url)


def unreachable(send: Send, request: Any) -> Any:
    raise ConnectTimeoutError(endpoint_url=request.url)


def throttled(send: Send, request: Any) -> Any:
    return refusal(400, "ThrottlingException")


def broken(send: Send, request: Any) -> Any:
    return refusal(500, "InternalServerError")


def in_progress(send: Send, request: Any) -> Any:
    return refusal(400, "TransactionInProgressException")


def conflict(send: Send, request: Any) -> Any:
    return refusal(400, "TransactionCanceledException", "TransactionConflict", "None")


def canceled_for_throttling(send: Send, request: Any) -> Any:
    return refusal(400, "TransactionCanceledException", "None", "ThrottlingError")


def canceled_for_capacity(send: Send, request: Any) -> Any:
    return refusal(400, "TransactionCanceledException", "None", "ProvisionedThroughputExceeded")


def denied(send: Send, request: Any) -> Any:
    return refusal(400, "AccessDeniedException")


class Sleepless:
    """A stand-in for the module `time`, whose sleep returns at once."""

    @staticmethod
    def sleep(_seconds: float) -> None:
        pass


class Faults:
    """Faults of the next calls, one per call, in order; the last one repeats."""

    def __init__(self, client: Any | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Intercept the calls of one client, or of all clients."""
        self.sent = 0
        self._next: list[Any] = []
        sessions = client._endpoint.http_session if client else URLLib3Session
        send = sessions.send
        # Patched on the class, the method also receives the session.
        monkeypatch.setattr(sessions, "send", lambda *call: self._fail(partial(send, *call[:-1]), call[-1]))
        for module in ("shared.aws", "botocore.endpoint"):  # retries need not wait
            monkeypatch.setattr(f"{module}.time", Sleepless)

    def then(self, *faults: Any) -> None:
        self._next = list(faults)

    def _fail(self, send: Send, request: Any) -> Any:
        self.sent += 1
        if not self._next:
            return send(request)
        fault = self._next.pop(0) if len(self._next) > 1 else self._next[0]
        return fault(send, request) if fault else send(request)


ANYWHERE = (lost, slow, unreachable, throttled, broken)
"""Faults that any call can have."""
FAULTS = (
    *ANYWHERE,
    in_progress,
    conflict,
    canceled_for_throttling,
    canceled_for_capacity,
)
