"""What all JSON documents of the API have in common: how they are written, and formats of fields."""

from __future__ import annotations

import json
from typing import Annotated

MICROSECONDS = 1_000_000
"""Stored times are in microseconds, documents have seconds."""


class Schema:
    """JSON Schema keywords of a field, for the OpenAPI document."""

    def __init__(self, **keywords: object) -> None:
        self.keywords = keywords


Uuid = Annotated[str, Schema(format="uuid", examples=["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"])]
UnixTime = Annotated[
    int, Schema(format="int64", description="Unix time in whole seconds.", examples=[1_767_225_600])
]


def to_json(document: object) -> str:
    """Write a document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
