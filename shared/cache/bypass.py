"""An item in a table that tells readers to bypass a cache, because a write could not invalidate it.

Readers look for it at most once in `INTERVAL` and trust the cache in between: they hold a lease. A write that
makes the item waits until all leases are over, so that no reader misses it. See Gray and Cheriton, "Leases:
An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency", SOSP 1989.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from shared import aws
from shared.deadline import remaining
from shared.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INTERVAL = 0.5
"""Seconds for which a reader trusts the cache after it looked."""
_SETTLED = 30
"""Seconds after which the call that made the item is over, however slow it was; then all leases are, too."""


class Bypass:
    """The item."""

    def __init__(self, table: str, pk: str, client: DynamoDBClient | None = None) -> None:
        """Name it; nothing is called.

        Args:
            table: The table that it is in.
            pk: Its key.
            client: A DynamoDB client; by default one is made on first use.
        """
        self._table, self._key = table, {"pk": {"S": pk}}
        self._given_client = client
        self._is_on = False
        # By the system's clock, because the other one may stand still while the environment is frozen.
        self._looked_at = 0.0

    def is_on(self) -> bool:
        """Whether readers must bypass the cache."""
        now = time.time()
        if not 0 <= now - self._looked_at < INTERVAL:
            self._is_on = self.token() is not None
            self._looked_at = now
        return self._is_on

    def turn_on(self) -> None:
        """Make all readers bypass the cache; when this returns, all do.

        Raises:
            Unavailable: there is no time to wait for that.
        """
        now = int(time.time())
        item = self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression="SET #token = :token, since = if_not_exists(since, :now)",
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={":token": {"S": secrets.token_hex(8)}, ":now": {"N": str(now)}},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        if now - int(item["since"]["N"]) > _SETTLED:
            return
        if remaining() < INTERVAL:
            raise Unavailable
        time.sleep(INTERVAL)

    def token(self) -> str | None:
        """Read by what to turn it off; None when it is off."""
        found = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return found["Item"]["token"]["S"] if "Item" in found else None

    def turn_off(self, token: str) -> None:
        """Turn it off, unless another write has turned it on since the token was read."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.delete_item(
                TableName=self._table,
                Key=self._key,
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": token}},
            )

    @cached_property
    def _client(self) -> DynamoDBClient:
        return self._given_client or aws.client("dynamodb")
