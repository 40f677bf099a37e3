"""Pages of the list: opaque cursors, and links to the next page (RFC 8288)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from shared.tasks.task import Position


def to_cursor(position: Position) -> str:
    """Encode a place in the list as an opaque cursor."""
    return base64.urlsafe_b64encode(str(position).encode()).rstrip(b"=").decode()


def from_cursor(cursor: object) -> Position:
    """Decode a cursor.

    Raises:
        ValueError: it is no cursor of this API.
    """
    try:
        if not isinstance(cursor, str) or not re.fullmatch("[A-Za-z0-9_-]+", cursor):
            raise ValueError("no text in base64url")
        return Position.parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except ValueError as error:  # binascii's error and UnicodeDecodeError are among them
        raise ValueError("not a cursor of this list; take it from the Link header") from error


def next_link(url: str, parameters: Mapping[str, object], position: Position) -> str:
    """Link to the page after a position.

    Args:
        url: The list's URL.
        parameters: Those of the query string that carry over.
        position: Where the next page begins.
    """
    return f'<{url}?{urlencode({**parameters, "cursor": to_cursor(position)}, doseq=True)}>; rel="next"'
