"""Pages of lists: opaque cursors, and links to the next page (RFC 8288)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

_Place = TypeVar("_Place")


def to_cursor(place: object) -> str:
    """Encode a place in a list as an opaque cursor."""
    return base64.urlsafe_b64encode(str(place).encode()).rstrip(b"=").decode()


def from_cursor(cursor: object, parse: Callable[[str], _Place]) -> _Place:
    """Decode a cursor.

    Args:
        cursor: What the client sent.
        parse: Reads the place; raises a ValueError where it is none.

    Raises:
        ValueError: it is no cursor of this list.
    """
    try:
        if not isinstance(cursor, str) or not re.fullmatch("[A-Za-z0-9_-]+", cursor):
            raise ValueError("no text in base64url")
        return parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except ValueError as error:  # binascii's error and UnicodeDecodeError are among them
        raise ValueError("not a cursor of this list; take it from the Link header") from error


def next_link(url: str, parameters: Mapping[str, object], place: object | None) -> dict[str, str]:
    """Make the header that links to the page after a position, if there is one.

    Args:
        url: The list's URL.
        parameters: Those of the query string that carry over.
        place: Where the next page begins; None if there is none.
    """
    if place is None:
        return {}
    query = urlencode({**parameters, "cursor": to_cursor(place)}, doseq=True)
    return {"Link": f'<{url}?{query}>; rel="next"'}
