"""The users table: users, sessions, API keys and attempts, under keys that cannot collide."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.aws import Item, transact_write
from shared.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef


_PAUSES = (0.05, 0.1, 0)
"""Seconds to wait after each try for keys that the table was too busy for."""


def user_exists(table: str, username: str) -> TransactWriteItemTypeDef:
    """Condition of a transaction: the user exists. A deleted user has no password."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": {"username": {"S": username}},
            "ConditionExpression": "attribute_exists(password_hash)",
        }
    }


class UsersTable:
    """Reads and writes of the table, each in one round trip."""

    def __init__(self, client: DynamoDBClient | None = None, name: str | None = None) -> None:
        self.client = client or aws.client("dynamodb")
        self.name = name or os.environ["USERS_TABLE"]

    def read(self, *keys: str) -> list[Item | None]:
        """Read items consistently; None for a missing one.

        Raises:
            Unavailable: the table is too busy.
        """
        asked = [{"username": text(key)} for key in dict.fromkeys(keys)]
        pending: Any = {self.name: {"Keys": asked, "ConsistentRead": True}}
        found: dict[str, Item] = {}
        for pause in _PAUSES:
            answer = self.client.batch_get_item(RequestItems=pending)
            found |= {item["username"]["S"]: item for item in answer["Responses"].get(self.name, [])}
            pending = answer["UnprocessedKeys"]
            if not pending:
                return [found.get(key) for key in keys]
            time.sleep(pause)
        raise Unavailable

    def write(self, *writes: TransactWriteItemTypeDef) -> None:
        """Apply all writes or none, once: see `shared.aws.transact_write` for what it raises."""
        transact_write(self.client, *writes)

    def try_update(
        self,
        key: str,
        expression: str,
        condition: str,
        names: Mapping[str, str] | None = None,
        **values: AttributeValueTypeDef,
    ) -> bool:
        """Update an item now; False if the condition does not hold, or a transaction holds the item."""
        try:
            self.client.update_item(**self.update(key, expression, condition, names, **values)["Update"])
        except (
            self.client.exceptions.ConditionalCheckFailedException,
            self.client.exceptions.TransactionConflictException,
        ):
            return False
        return True

    def put(
        self, key: str, item: Item, condition: str = "", **values: AttributeValueTypeDef
    ) -> TransactWriteItemTypeDef:
        """Make the write that puts an item; `condition` has the names of the values after colons."""
        put: dict[str, Any] = {**self._where(condition, values), "Item": {**item, "username": {"S": key}}}
        return {"Put": put}  # type: ignore[typeddict-item]

    def update(
        self,
        key: str,
        expression: str,
        condition: str = "",
        names: Mapping[str, str] | None = None,
        **values: AttributeValueTypeDef,
    ) -> TransactWriteItemTypeDef:
        """Make the write that updates an item; values as for `put`, names for words that are reserved."""
        update = {**self._where(condition, values), **_key(key), "UpdateExpression": expression}
        if names:
            update["ExpressionAttributeNames"] = names
        return {"Update": update}  # type: ignore[typeddict-item]

    def delete(
        self, key: str, condition: str = "", **values: AttributeValueTypeDef
    ) -> TransactWriteItemTypeDef:
        """Make the write that deletes an item; values as for `put`."""
        return {"Delete": {**self._where(condition, values), **_key(key)}}  # type: ignore[typeddict-item]

    def check(self, key: str, condition: str, **values: AttributeValueTypeDef) -> TransactWriteItemTypeDef:
        """Make the part of a transaction that checks an item; values as for `put`."""
        return {"ConditionCheck": {**self._where(condition, values), **_key(key)}}  # type: ignore[typeddict-item]

    def _where(self, condition: str, values: Mapping[str, AttributeValueTypeDef]) -> dict[str, Any]:
        where: dict[str, Any] = {"TableName": self.name}
        if condition:
            where["ConditionExpression"] = condition
        if values:
            where["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
        return where


def text(value: str) -> AttributeValueTypeDef:
    """Convert a text to a value of a write."""
    return {"S": value}


def number(value: int) -> AttributeValueTypeDef:
    """Convert a number to a value of a write."""
    return {"N": str(value)}


def _key(key: str) -> dict[str, Any]:
    return {"Key": {"username": {"S": key}}}
