"""Conditional requests: a task's version as an entity tag (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import re


def etag(version: int) -> str:
    """Write a version as a strong entity tag."""
    return f'"{version}"'


def matching_versions(if_match: str | None) -> frozenset[int] | None:
    """Read `If-Match`: the versions that it admits, or None for any.

    Weak tags never match, and neither does what is no tag of this API.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = re.findall(r'(?:^|,)\s*"([1-9]\d{0,17})"\s*(?=,|$)', if_match, re.ASCII)
    return frozenset(map(int, tags))


def is_unchanged(version: int, if_none_match: str | None) -> bool:
    """Whether `If-None-Match` names the version; weak tags do too."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag(version) in tags or tags == ["*"]
