"""Webhooks, and their items in the webhooks table."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from shared.logs import conceal
from shared.tasks.events import EventType

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from shared.aws import Item

PREFIX = "whsec_"
"""Prefix by which people and secret scanners recognize it."""
_SECRET_BYTES = 24
"""See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
OVERLAP = 24 * 60 * 60
"""Seconds for which a secret that was replaced signs, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that failed."""

    at: int
    """Unix time in seconds."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook. Times are Unix times in seconds."""

    id: str
    url: str
    events: tuple[EventType, ...]
    """The types of events that it wants."""
    created_at: int
    created_by: str
    """The username."""
    enabled: bool = True
    failures: int = 0
    """How many calls have failed since one succeeded."""
    paused_until: int = 0
    """Unix time in seconds from which it may be called again."""
    last_failure: Failure | None = None


def new_secret() -> str:
    """Make a secret, as Standard Webhooks writes them."""
    return conceal(PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


def item_from_webhook(webhook: Webhook, secret: str) -> dict[str, AttributeValueTypeDef]:
    """Convert a new webhook to its item."""
    return {
        "id": {"S": webhook.id},
        "url": {"S": webhook.url},
        "events": {"L": [{"S": each} for each in webhook.events]},
        "created_at": {"N": str(webhook.created_at)},
        "created_by": {"S": webhook.created_by},
        "enabled": {"BOOL": True},
        "failures": {"N": "0"},
        "paused_until": {"N": "0"},
        "secret": {"S": secret},
    }


def webhook_from_item(item: Item) -> Webhook:
    """Convert an item to a webhook."""
    failure = item.get("last_failure")
    return Webhook(
        id=item["id"]["S"],
        url=item["url"]["S"],
        events=tuple(cast("EventType", each["S"]) for each in item["events"]["L"]),
        created_at=int(item["created_at"]["N"]),
        created_by=item["created_by"]["S"],
        enabled=item["enabled"]["BOOL"],
        failures=int(item["failures"]["N"]),
        paused_until=int(item["paused_until"]["N"]),
        last_failure=(
            Failure(at=int(failure["M"]["at"]["N"]), reason=failure["M"]["reason"]["S"]) if failure else None
        ),
    )


def valid_secrets(item: Item, now: int) -> list[str]:
    """Read the secrets that sign at a time: the current one, and previous ones during their overlap."""
    values = [item["secret"], *(each["M"]["secret"] for each in old_secrets(item, now))]
    return [conceal(value["S"]) for value in values]


def old_secrets(item: Item, now: int) -> list[Item]:
    """Take from an item the secrets that were replaced and still sign, the oldest first."""
    return [each for each in item.get("old_secrets", {}).get("L", []) if now < int(each["M"]["until"]["N"])]
