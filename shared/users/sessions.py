"""Sessions: a token is its user's until the password changes, and while the user is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.errors import SessionEnded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.users.tokens import Claims


def session_of(item: Mapping[str, Any]) -> str:
    """Find the id of a user's sessions: at first the user's own, and a new one with each new password."""
    return str(item.get("session", item["id"])["S"])


class Sessions:
    """All sessions, by the users table. Apart from the store, which imports what hashing needs."""

    def __init__(self, client: DynamoDBClient | None = None, table: str | None = None) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["USERS_TABLE"]

    def check(self, claims: Claims) -> None:
        """Check that a token's session goes on.

        Raises:
            SessionEnded: the user is gone, or has changed the password since the token was issued.
        """
        key = {"username": {"S": claims.username.lower()}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None or session_of(item) != claims.session:
            raise SessionEnded
