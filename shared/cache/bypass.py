"""An item in a table that tells readers to bypass a cache, because a write could not invalidate it.

Readers look for it at most once in `INTERVAL` and trust the cache in between: they hold a lease. A write that
makes the item waits until all leases are over, so that no reader misses it. See Gray and Cheriton, "Leases:
An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency", SOSP 1989.
"""

from __future__ import annotations

import math
import secrets
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws
from shared.deadline import remaining
from shared.errors import Unavailable
from shared.logs import logger
from shared.metrics import count

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INTERVAL = 0.5
"""Seconds for which a reader trusts the cache after it looked."""
_SETTLED = 30
"""Seconds after which the call that made the item is over, however slow it was; then all leases are, too."""
_LIFETIME = 900
"""Seconds after the last failure in which the cache must be repaired, or else has expired by itself."""
_RENEW = "SET #token = :token, expires_at = :end"


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
        self._looked_at = -math.inf, -math.inf

    def is_on(self) -> bool:
        """Whether readers must bypass the cache, as they must when that cannot be read."""
        # Of the two clocks, one can be set back, and the other may stand still while Lambda freezes us.
        now = time.time(), time.monotonic()
        ages = (at - looked_at for at, looked_at in zip(now, self._looked_at, strict=True))
        if not all(0 <= age < INTERVAL for age in ages):
            try:
                self._is_on = self.token() is not None
            except (Unavailable, BotoCoreError, ClientError):
                logger.exception("whether to bypass the cache cannot be read")
                count("CacheFailure")
                return True
            self._looked_at = now
        return self._is_on

    def turn_on(self) -> None:
        """Make all readers bypass the cache; when this returns, all do.

        Raises:
            Unavailable: there is no time to wait for that.
            BotoCoreError, ClientError: the item cannot be made.
        """
        now = int(time.time())
        try:
            since = self._put(now, _RENEW, ConditionExpression="expires_at > :now")
        except self._client.exceptions.ConditionalCheckFailedException:
            since = self._put(now, f"{_RENEW}, since = :now")
        if now - since > _SETTLED:
            return
        if remaining() < INTERVAL:
            raise Unavailable
        time.sleep(INTERVAL)

    def token(self) -> str | None:
        """Read by what to turn it off; None when it is off."""
        found = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        item = found.get("Item")
        return item["token"]["S"] if item and int(item["expires_at"]["N"]) > time.time() else None

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

    def _put(self, now: int, update: str, **condition: Any) -> int:
        """Write the item; returns since when it is there."""
        item = self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression=update,
            **condition,
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={
                ":token": {"S": secrets.token_hex(8)},
                ":now": {"N": str(now)},
                ":end": {"N": str(now + _LIFETIME)},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return int(item["since"]["N"])

    @cached_property
    def _client(self) -> DynamoDBClient:
        return self._given_client or aws.client("dynamodb")
