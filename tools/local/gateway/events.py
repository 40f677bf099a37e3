"""Adds what SAM CLI's proxy events lack to be those of API Gateway.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

HEADER_FIELDS = "local.header_fields"
"""The key, in a WSGI environment, of the request's header fields as they were sent: (name, value) pairs.

WSGI itself joins the values of a name that is repeated.
"""
_OF_THE_CONNECTION = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Facts:
    """Facts that SAM CLI's events lack, or have only of the moment when SAM CLI started."""

    request_id: str
    path: str
    """As behind a custom domain, without a stage."""
    client: str
    """The client's IP address."""
    scheme: str
    port: int
    fields: Iterable[tuple[str, str]]
    """The header fields, in their order."""


def complete(event: dict[str, Any], facts: Facts) -> None:
    """Put the facts of a request into its event."""
    headers = _group(facts)
    event["headers"] = {name: values[-1] for name, values in headers.items()}
    event["multiValueHeaders"] = headers
    now = time.time()
    context = event["requestContext"]
    context["requestId"] = context["extendedRequestId"] = facts.request_id
    context["path"] = facts.path
    context["requestTimeEpoch"] = int(now * 1000)
    context["requestTime"] = datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    agents = [values[-1] for name, values in headers.items() if name.lower() == "user-agent"]
    context["identity"]["userAgent"] = agents[0] if agents else None


def _group(facts: Facts) -> dict[str, list[str]]:
    """Gather the values of each name, in the spelling that came first, but not of the connection's own."""
    spelling: dict[str, str] = {}
    headers: dict[str, list[str]] = {}
    forwarded_for = []
    for name, value in facts.fields:
        key = name.lower()
        if key == "x-forwarded-for":
            forwarded_for.append(value)
        elif key not in _OF_THE_CONNECTION and key not in {"x-forwarded-proto", "x-forwarded-port"}:
            headers.setdefault(spelling.setdefault(key, name), []).append(value)
    return {
        **headers,
        "X-Forwarded-For": [", ".join([*forwarded_for, facts.client])],
        "X-Forwarded-Port": [str(facts.port)],
        "X-Forwarded-Proto": [facts.scheme],
    }
