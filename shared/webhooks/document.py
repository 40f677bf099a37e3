"""The JSON representations of webhooks."""

from __future__ import annotations

from typing import Annotated, TypedDict

from shared.schema import Schema, UnixTime, Uuid
from shared.tasks.events import EventType
from shared.webhooks.webhook import Failure, Webhook


class FailureDocument(TypedDict):
    """A call of a webhook that failed."""

    at: UnixTime
    reason: Annotated[str, Schema(examples=["The webhook answered with the status 500."])]


class WebhookDocument(TypedDict):
    """A webhook, without its secret."""

    id: Uuid
    url: Annotated[str, Schema(examples=["https://example.com/tasks"])]
    events: Annotated[list[EventType], Schema(description="The types of events that it is called for.")]
    enabled: Annotated[
        bool, Schema(description="False once it has failed for most of a day, or has answered with 410.")
    ]
    created_at: UnixTime
    created_by: Annotated[str, Schema(description="The user who made it.", examples=["ada"])]
    last_failure: Annotated[FailureDocument | None, Schema(description="Of its calls, if one failed.")]


class WebhookWithSecretDocument(WebhookDocument):
    """A webhook, with its secret."""

    secret: Annotated[
        str,
        Schema(
            description="What its calls are signed with. It is shown this once.", examples=["whsec_MfKQ…"]
        ),
    ]


def webhook_document(webhook: Webhook) -> WebhookDocument:
    """Represent a webhook."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
        "created_at": webhook.created_at,
        "created_by": webhook.created_by,
        "last_failure": _failure_document(webhook.last_failure),
    }


def _failure_document(failure: Failure | None) -> FailureDocument | None:
    return {"at": failure.at, "reason": failure.reason} if failure else None
