"""Conditional requests and entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import re


def etag(version: int) -> str:
    """Write a version as a strong entity tag."""
    return f'"{version}"'


def weak_etag(text: str) -> str:
    """Make a weak entity tag of a text: the same for the same text."""
    return f'W/"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'


def matching_versions(if_match: str | None) -> frozenset[int] | None:
    """Read `If-Match`: the versions that it admits, or None for any.

    Weak tags never match, and neither does what is no tag of this API.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = re.findall(r'(?:^|,)\s*"([1-9]\d{0,17})"\s*(?=,|$)', if_match, re.ASCII)
    return frozenset(map(int, tags))


def is_unchanged(tag: str, if_none_match: str | None) -> bool:
    """Whether `If-None-Match` has an entity tag; whether either is weak does not matter."""
    if if_none_match is None:
        return False
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]
