"""A response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from shared.documents import to_json

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """A response."""

    status: HTTPStatus = HTTPStatus.OK
    body: str = ""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(
    body: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a response of a JSON document."""
    return Response(status, to_json(body), JSON, headers or {})
