"""Models of requests that concern the history of a task."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from shared.api.models import PageQuery
from shared.api.paging import from_cursor, to_cursor
from shared.tasks.history import HistoryPlace

_Cursor = Annotated[
    HistoryPlace,
    PlainValidator(partial(from_cursor, parse=HistoryPlace.parse)),
    PlainSerializer(to_cursor),
    WithJsonSchema({"type": "string", "format": "history-cursor", "minLength": 1}),
]


class HistoryQuery(PageQuery):
    """Which page of a task's history to list."""

    cursor: _Cursor | None = Field(None, description="Where the page begins; comes from a Link header.")
