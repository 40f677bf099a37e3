"""JSON Schema of fields in requests and responses, for the OpenAPI document."""

from __future__ import annotations

import uuid
from typing import Annotated, Any


class Schema:
    """JSON Schema keywords of a field, such as its description, added to pydantic's own."""

    def __init__(self, **keywords: object) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Called by pydantic, which functions that only answer need not import."""
        return {**handler(core_schema), **self.keywords}


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in lower case, with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


Uuid = Annotated[str, Schema(format="uuid", examples=["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"])]
UnixTime = Annotated[
    int, Schema(format="int64", description="Unix time in whole seconds.", examples=[1_767_225_600])
]
