"""Pages of the list: opaque cursors, and links to the next page (RFC 8288)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared.tasks.task import Position

if TYPE_CHECKING:
    from shared.api.task_models import TaskListQuery


def to_cursor(position: Position) -> str:
    """Encode a place in the list as an opaque cursor."""
    return base64.urlsafe_b64encode(str(position).encode()).rstrip(b"=").decode()


def from_cursor(cursor: str) -> Position:
    """Decode a cursor.

    Raises:
        ValueError: the text is no cursor of this API.
    """
    try:
        return Position.parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except ValueError as error:  # binascii's error and UnicodeDecodeError are among them
        raise ValueError("not a cursor of this list; take it from the Link header") from error


def next_link(url: str, query: TaskListQuery, position: Position) -> str:
    """Link to the page after a position. All of the query but its beginning carries over."""
    asked = query.model_dump(mode="json", exclude_unset=True, exclude={"skip", "cursor"})
    return f'<{url}?{urlencode({**asked, "cursor": to_cursor(position)}, doseq=True)}>; rel="next"'
