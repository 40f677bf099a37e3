"""Models of requests that concern deleted tasks."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from shared.api.models import Body, PageQuery
from shared.api.paging import from_cursor, to_cursor
from shared.api.task_models import ValidTitle
from shared.tasks.trash import TrashPlace

_Cursor = Annotated[
    TrashPlace,
    PlainValidator(partial(from_cursor, parse=TrashPlace.parse)),
    PlainSerializer(to_cursor),
    WithJsonSchema({"type": "string", "format": "trash-cursor", "minLength": 1}),
]


class TrashQuery(PageQuery):
    """Which page of the trash to list."""

    cursor: _Cursor | None = Field(None, description="Where the page begins; comes from a Link header.")


class Restoration(Body):
    """How to restore a deleted task. White space around the title is dropped."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Book the other venue"}]})
    is_optional: ClassVar[bool] = True

    title: ValidTitle | None = Field(None, description="Another title, where its own is taken by now.")
