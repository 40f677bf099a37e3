"""The store of webhooks: users' operations, and the results of calls."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.aws import ConditionFailed, transact_write
from shared.errors import Contention, TooManyWebhooks, WebhookNotFound
from shared.schema import is_uuid
from shared.tasks.events import EventType
from shared.webhooks.webhook import (
    OVERLAP,
    Failure,
    Webhook,
    item_from_webhook,
    new_secret,
    old_secrets,
    valid_secrets,
    webhook_from_item,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

MAX_WEBHOOKS = 25
"""Maximum number of webhooks, because each event goes to each."""
_COUNT = {"id": {"S": "COUNT"}}
"""The item that counts the others, so that no two at once exceed the limit."""
_EXISTS = "attribute_exists(id)"
_RACES = 5
_MAX_OLD_SECRETS = 5
_ATTRIBUTES = "id, #url, events, created_at, created_by, enabled, failures, paused_until, last_failure"
"""Attributes without the secrets, which only a call needs."""


class WebhookStore:
    """The webhooks table."""

    def __init__(self, client: DynamoDBClient | None = None, table: str | None = None) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["WEBHOOKS_TABLE"]

    def create(self, url: str, events: Collection[EventType], username: str) -> tuple[Webhook, str]:
        """Make a webhook; returns it with its secret.

        Raises:
            TooManyWebhooks: there are as many as there may be.
        """
        webhook = Webhook(
            id=str(uuid.uuid4()),
            url=url,
            events=tuple(events),
            created_at=int(time.time()),
            created_by=username,
        )
        secret = new_secret()
        put: Any = {"TableName": self._table, "Item": item_from_webhook(webhook, secret)}
        count: Any = {
            "TableName": self._table,
            "Key": _COUNT,
            "UpdateExpression": "ADD #count :one",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :most",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":most": {"N": str(MAX_WEBHOOKS)}},
        }
        try:
            transact_write(self._client, {"Put": put}, {"Update": count})
        except ConditionFailed:
            raise TooManyWebhooks(MAX_WEBHOOKS) from None
        return webhook, secret

    def all(self) -> list[Webhook]:
        """List all webhooks, the newest first."""
        items = self._client.scan(
            TableName=self._table,
            ConsistentRead=True,
            ProjectionExpression=_ATTRIBUTES,
            ExpressionAttributeNames={"#url": "url"},
        )["Items"]
        webhooks = [webhook_from_item(item) for item in items if "url" in item]
        return sorted(webhooks, key=lambda each: (each.created_at, each.id), reverse=True)

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook.

        Raises:
            WebhookNotFound: there is no such webhook.
        """
        delete: Any = {
            "TableName": self._table,
            "Key": _key(webhook_id),
            "ConditionExpression": _EXISTS,
        }
        count: Any = {
            "TableName": self._table,
            "Key": _COUNT,
            "UpdateExpression": "ADD #count :less",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": {"N": "-1"}},
        }
        try:
            transact_write(self._client, {"Delete": delete}, {"Update": count})
        except ConditionFailed:
            raise WebhookNotFound(webhook_id) from None

    def rotate_secret(self, webhook_id: str) -> tuple[Webhook, str]:
        """Replace the secret of a webhook; the old one signs, too, for a day. Returns both.

        Raises:
            WebhookNotFound: there is no such webhook.
            Contention: others replaced it every time.
        """
        secret, key = new_secret(), _key(webhook_id)
        for _ in range(_RACES):
            found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            if "Item" not in found:
                raise WebhookNotFound(webhook_id)
            item, now = found["Item"], int(time.time())
            replaced = {"M": {"secret": item["secret"], "until": {"N": str(now + OVERLAP)}}}
            old: Any = [*old_secrets(item, now), replaced][-_MAX_OLD_SECRETS:]
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression="SET secret = :new, old_secrets = :old",
                    ConditionExpression="secret = :seen",
                    ExpressionAttributeValues={
                        ":new": {"S": secret},
                        ":old": {"L": old},
                        ":seen": item["secret"],
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                continue
            return webhook_from_item(item), secret
        raise Contention

    def switch_on(self, webhook_id: str) -> Webhook:
        """Let a webhook be called again, at once.

        Raises:
            WebhookNotFound: there is no such webhook.
        """
        webhook = self._update(webhook_id, {"enabled": True, "failures": 0, "paused_until": 0}, {})
        if webhook is None:
            raise WebhookNotFound(webhook_id)
        return webhook

    def find(self, webhook_id: str) -> tuple[Webhook, list[str]] | None:
        """Read a webhook, and the secrets that sign its calls now; None if there is none."""
        found = self._client.get_item(TableName=self._table, Key=_key(webhook_id), ConsistentRead=True)
        if "Item" not in found:
            return None
        return webhook_from_item(found["Item"]), valid_secrets(found["Item"], int(time.time()))

    def note(self, seen: Webhook, **changes: object) -> bool:
        """Record the outcome of a call, unless another call has since the webhook was read.

        Args:
            seen: The webhook, as it was read.
            changes: Its fields that change.

        Returns:
            Whether they were noted.
        """
        state = {name: getattr(seen, name) for name in ("enabled", "failures", "paused_until")}
        return self._update(seen.id, changes, state) is not None

    def _update(
        self, webhook_id: str, changes: Mapping[str, object], seen: Mapping[str, object]
    ) -> Webhook | None:
        """Set fields, if others still have the values that were read; None if not."""
        try:
            item = self._client.update_item(
                TableName=self._table,
                Key=_key(webhook_id),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in changes),
                ConditionExpression=" AND ".join([_EXISTS, *(f"{name} = :seen_{name}" for name in seen)]),
                ExpressionAttributeValues={
                    **{f":{name}": _value(value) for name, value in changes.items()},
                    **{f":seen_{name}": _value(value) for name, value in seen.items()},
                },
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return webhook_from_item(item)


def _key(webhook_id: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a webhook's item.

    Raises:
        WebhookNotFound: no webhook has such an id.
    """
    if not is_uuid(webhook_id):
        raise WebhookNotFound(webhook_id)
    return {"id": {"S": webhook_id}}


def _value(value: object) -> AttributeValueTypeDef:
    match value:
        case bool():
            return {"BOOL": value}
        case Failure():
            return {"M": {"at": {"N": str(value.at)}, "reason": {"S": value.reason}}}
        case _:
            return {"N": str(value)}
