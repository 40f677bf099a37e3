"""Sessions: a token is its user's until the password changes, and while the user is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shared import aws
from shared.errors import SessionEnded
from shared.users.user import session_of, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Sessions:
    """All sessions, by the users table. Apart from the store, which imports what hashing needs."""

    def __init__(self, client: DynamoDBClient | None = None, table: str | None = None) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["USERS_TABLE"]

    def check(self, username: str, session: str) -> None:
        """Check that a session of a user goes on.

        Raises:
            SessionEnded: the user is gone, or has changed the password since the session began.
        """
        found = self._client.get_item(TableName=self._table, Key=user_key(username), ConsistentRead=True)
        if "Item" not in found or session_of(found["Item"]) != session:
            raise SessionEnded
