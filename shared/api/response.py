"""HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Response(NamedTuple):
    """An HTTP response."""

    status: HTTPStatus = HTTPStatus.OK
    body: str = ""
    content_type: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})


def json_response(
    body: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Send a JSON document."""
    return Response(status, to_json(body), JSON, headers or {})
