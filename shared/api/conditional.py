"""Conditional requests and entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus

from shared.api.response import Response


def etag(version: int) -> str:
    """Format a version as a strong entity tag."""
    return f'"{version}"'


def weak_etag(text: str) -> str:
    """Make the weak entity tag of a text."""
    return f'W/"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'


def matching_versions(if_match: str | None) -> frozenset[int] | None:
    """Read `If-Match`: the versions that it admits, or None for any.

    Weak tags never match, and neither does what is no tag of this API.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = re.findall(r'(?:^|,)\s*"([1-9]\d{0,17})"\s*(?=,|$)', if_match, re.ASCII)
    return frozenset(map(int, tags))


def unless_unchanged(response: Response, if_none_match: str | None) -> Response:
    """Send a response, or 304 if `If-None-Match` has its entity tag; weak tags match, too."""
    if if_none_match is None:
        return response
    tag = response.headers["ETag"].removeprefix("W/")
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    if tag in tags or tags == ["*"]:
        return Response(HTTPStatus.NOT_MODIFIED, headers=response.headers)
    return response
