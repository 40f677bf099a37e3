"""Entity tags: strong comparison for If-Match, weak for If-None-Match (RFC 9110, section 8.8.3.2)."""

from __future__ import annotations

import pytest

from shared.api.conditional import etag, matching_versions, unless_unchanged, weak_etag
from shared.api.response import Response


def is_unchanged(tag: str, if_none_match: str | None) -> bool:
    response = Response(body="{}", headers={"ETag": tag, "Link": "x"})
    sent = unless_unchanged(response, if_none_match)
    assert sent == response or (sent.status, sent.body, sent.headers) == (304, "", response.headers)
    return sent.status == 304


@pytest.mark.parametrize(
    ("if_match", "versions"),
    [
        (None, None),
        ("*", None),
        (" * ", None),
        ('"7"', {7}),
        ('"7", "12" ,"3"', {7, 12, 3}),
        ('W/"7"', set()),
        ('W/"7", "8"', {8}),
        ("7", set()),
        ('"07"', set()),
        ('"0"', set()),
        ('"-1"', set()),
        ('"x"', set()),
        ('"7', set()),
        ("", set()),
        ('"9999999999999999999"', set()),
        ('"٧"', set()),
    ],
)
def test_if_match_admits_strong_tags_of_this_api(if_match: str | None, versions: set[int] | None) -> None:
    assert matching_versions(if_match) == versions


@pytest.mark.parametrize(
    ("if_none_match", "unchanged"),
    [
        (None, False),
        ("*", True),
        ('"7"', True),
        ('W/"7"', True),
        ('"6", W/"7"', True),
        ('"07"', False),
        ('"6"', False),
        ("7", False),
        ("", False),
    ],
)
def test_if_none_match_admits_weak_tags_too(if_none_match: str | None, unchanged: bool) -> None:
    assert is_unchanged(etag(7), if_none_match) is unchanged


def test_a_tag_matches_itself() -> None:
    assert matching_versions(etag(42)) == {42}
    assert is_unchanged(etag(42), etag(42))


def test_a_weak_tag_is_the_same_for_the_same_text() -> None:
    assert weak_etag("a page ✓") == weak_etag("a page ✓") != weak_etag("another")
    assert is_unchanged(weak_etag("a"), weak_etag("a"))
    assert is_unchanged(weak_etag("a"), weak_etag("a").removeprefix("W/"))
    assert not is_unchanged(weak_etag("a"), weak_etag("b"))
