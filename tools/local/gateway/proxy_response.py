"""Parses a function's response, and refuses what API Gateway refuses.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_DROPPED = {
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip
"""Headers of a connection, which are not the function's to choose."""
_REMAPPED = {"content-md5", "date", "max-forwards", "server", "user-agent", "www-authenticate"}
"""Headers that get another name. See
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


class MalformedResponse(Exception):
    """API Gateway would answer 502; the message says why."""


@dataclass(frozen=True)
class ProxyResponse:
    """A function's response."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    base64_encoded: bool
    """Whether `body` is base64; it is decoded where the API has binary media types."""

    def decoded(self) -> bytes:
        """Decode a body in base64.

        Raises:
            MalformedResponse: it is broken.
        """
        try:
            return base64.b64decode(self.body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MalformedResponse(f"the body is no base64: {error}") from error


def parse_response(payload: bytes) -> ProxyResponse:
    """Parse a function's response.

    Raises:
        MalformedResponse: API Gateway would not accept it.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"it cannot be read: {error}") from error
    if not isinstance(answer, dict):
        raise MalformedResponse(f"it is {_kind(answer)}, not an object")
    if unknown := answer.keys() - _KEYS:
        raise MalformedResponse(f"it has members that are not known: {', '.join(sorted(unknown))}")
    body = answer.get("body")
    if body is not None and not isinstance(body, str):
        raise MalformedResponse(f"the body is {_kind(body)}, not a string")
    encoded = answer.get("isBase64Encoded") or False
    if not isinstance(encoded, bool):
        raise MalformedResponse(f"isBase64Encoded is {_kind(encoded)}, not a boolean")
    return ProxyResponse(_status(answer), _headers(answer), body or "", encoded)


def _status(answer: dict[str, Any]) -> int:
    status = answer.get("statusCode")
    if status is None:
        raise MalformedResponse("it has no statusCode")
    if isinstance(status, str) and len(status) == 3 and status.isascii() and status.isdecimal():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise MalformedResponse(f"the statusCode {json.dumps(status)[:100]} is none")
    return status


def _headers(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Merge `headers` and `multiValueHeaders`; a pair that stands in both counts once."""
    pairs: dict[tuple[str, str], None] = {}
    for name, values in _object(answer, "multiValueHeaders").items():
        if not isinstance(values, list):
            raise MalformedResponse(
                f"the header {name} in multiValueHeaders is {_kind(values)}, not an array"
            )
        for value in values:
            pairs[(name, _value(name, value))] = None
    for name, value in _object(answer, "headers").items():
        pairs[(name, _value(name, value))] = None
    return [
        (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value)
        for name, value in pairs
        if name.lower() not in _DROPPED
    ]


def _object(answer: dict[str, Any], member: str) -> dict[str, Any]:
    value = answer.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedResponse(f"{member} is {_kind(value)}, not an object")
    return value


def _value(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MalformedResponse(f"the header {name} is {_kind(value)}, not a string")
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise MalformedResponse(f"the header {json.dumps(name)} has characters that no header can have")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
