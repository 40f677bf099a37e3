"""Rate-limit counters, stored in the users table."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.aws import transact_write
from shared.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

_WINDOW = 60 * 60
"""Seconds after the first try in which others are counted with it, or longer while one has to wait."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many tries are free, and how many seconds those after them wait at most."""

    free: int
    longest: int

    def wait_after(self, tries: int) -> int:
        """Tell how many seconds the next try has to wait: twice as long as the one before."""
        exponent = tries - self.free
        return 0 if exponent < 0 else min(self.longest, 2 ** min(exponent, 30))


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter. Times are Unix times in seconds."""

    key: str
    limit: Limit
    tries: int = 0
    next_at: float = 0
    """From when on another try is looked at."""
    known_until: float = 0
    """Exempt from throttling until this time."""
    expires_at: float = 0
    """When its tries are forgotten."""


class Counters:
    """The counters of a table. Other items of the table have other keys."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, counters: Sequence[Counter]) -> list[Counter]:
        """Read some, which may not be there yet.

        Raises:
            Unavailable: the table is too busy.
        """
        keys = [{"username": {"S": each.key}} for each in counters]
        answer = self._client.batch_get_item(
            RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
        )
        if answer["UnprocessedKeys"]:
            raise Unavailable
        found, now = {item["username"]["S"]: item for item in answer["Responses"][self._table]}, time.time()
        read = []
        for each in counters:
            item = found.get(each.key)
            if item is not None and float(item["expires_at"]["N"]) > now:
                numbers = {name: float(value["N"]) for name, value in item.items() if "N" in value}
                each = replace(
                    each,
                    tries=int(numbers["tries"]),
                    next_at=numbers["next_at"],
                    known_until=numbers["known_until"],
                    expires_at=numbers["expires_at"],
                )
            read.append(each)
        return read

    def count(self, seen: Sequence[Counter]) -> None:
        """Count one more try for each, all or none.

        Raises:
            ConditionFailed: one is not as it was seen.
            Contention: others are counting all the time.
        """
        transact_write(self._client, *map(self._one_more, seen))

    def take_back(self, counter: Counter) -> None:
        """Take back one try, whatever others have counted since."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"username": {"S": counter.key}},
                UpdateExpression="SET tries = tries - :one",
                ConditionExpression="tries >= :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # it has been forgotten

    def forget(self, counter: Counter, *, known_for: float = 0) -> None:
        """Begin anew to count; for some seconds, whose counter it is is known."""
        end = time.time() + known_for
        fresh = Counter(counter.key, counter.limit, known_until=end, expires_at=end)
        self._client.put_item(TableName=self._table, Item=_item(fresh))

    def _one_more(self, seen: Counter) -> TransactWriteItemTypeDef:
        now, tries = time.time(), seen.tries + 1
        next_at = now + seen.limit.wait_after(tries)
        expires_at = max(seen.expires_at if seen.tries else now + _WINDOW, next_at + 1, seen.known_until)
        return {
            "Put": {
                "TableName": self._table,
                "Item": _item(replace(seen, tries=tries, next_at=next_at, expires_at=expires_at)),
                "ConditionExpression": "attribute_not_exists(tries) OR tries = :tries OR expires_at <= :now",
                "ExpressionAttributeValues": {":tries": {"N": str(seen.tries)}, ":now": {"N": str(now)}},
            }
        }


def _item(counter: Counter) -> dict[str, AttributeValueTypeDef]:
    return {
        "username": {"S": counter.key},
        "tries": {"N": str(counter.tries)},
        "next_at": {"N": str(counter.next_at)},
        "known_until": {"N": str(counter.known_until)},
        "expires_at": {"N": str(math.ceil(counter.expires_at))},
    }
