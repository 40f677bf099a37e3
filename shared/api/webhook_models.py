"""Models of requests that concern webhooks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from shared.api.models import Body
from shared.tasks.events import EventType

_Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")]
"""Checks the form only; `shared.webhooks.address` checks where it leads."""
_MAX_TYPES = 20


def _without_repetition(events: list[EventType]) -> list[EventType]:
    if len(set(events)) < len(events):
        raise ValueError("Each type of event should be there once")
    return events


class NewWebhook(Body):
    """A webhook to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://example.com/tasks", "events": ["task.created", "task.deleted"]}]
        }
    )

    url: _Url = Field(
        description="An https URL, without user and password, whose host has public addresses only.",
        json_schema_extra={"format": "uri"},
    )
    events: Annotated[list[EventType], AfterValidator(_without_repetition)] = Field(
        min_length=1,
        max_length=_MAX_TYPES,
        description="The types of events to be called for.",
        json_schema_extra={"uniqueItems": True},
    )
