"""Users in DynamoDB."""

from __future__ import annotations

import os
import time
import uuid
from typing import TYPE_CHECKING

from shared import aws
from shared.aws import Item
from shared.errors import BadCredentials, Contention, SessionEnded, UsernameTaken, WrongPassword
from shared.logs import conceal
from shared.users import passwords
from shared.users.attempts import Attempts
from shared.users.user import User, session_of, user_from_item, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class UserStore:
    """The users table."""

    def __init__(self, client: DynamoDBClient | None = None, table: str | None = None) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["USERS_TABLE"]
        self._attempts = Attempts(self._client, self._table)

    def create(self, username: str, password: str, *, address: str | None = None) -> User:
        """Store a new user.

        Args:
            username: Their name.
            password: Their password.
            address: The IP address of who asks, by which sign-ups are slowed.

        Raises:
            UsernameTaken: the name exists, in whatever case.
            TooManyAttempts: too many users come from the address.
        """
        self._attempts.sign_up(address)
        id_ = str(uuid.uuid4())
        user = User(id=id_, username=username, created_at=int(time.time()), session=id_)
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **user_key(username),
                    "id": {"S": user.id},
                    "display_name": {"S": username},
                    "password_hash": {"S": passwords.hash_password(password)},
                    "created_at": {"N": str(user.created_at)},
                },
                # The second half lets botocore repeat the call after a lost response.
                ConditionExpression="attribute_not_exists(username) OR id = :id",
                ExpressionAttributeValues={":id": {"S": user.id}},
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise UsernameTaken(username) from error
        return user

    def get(self, username: str, session: str) -> User:
        """Read the user of a session.

        Raises:
            SessionEnded: the user is gone, or has changed the password.
        """
        return user_from_item(self._item(username, session))

    def change_password(self, username: str, session: str, current: str, new: str) -> None:
        """Replace the password of a session's user, and end all sessions.

        Raises:
            TooManyAttempts: `current` was wrong too often.
            WrongPassword: `current` is not the password.
            SessionEnded: the user is gone, or has changed the password.
            Contention: the password was changed at the same time.
        """
        old_hash = self._item(username, session)["password_hash"]["S"]
        attempt = self._attempts.change_password(username)
        is_right, _ = passwords.verify(current, old_hash)
        if not is_right:
            raise WrongPassword
        attempt.succeeded()
        try:
            self._client.update_item(
                TableName=self._table,
                Key=user_key(username),
                UpdateExpression="SET password_hash = :new, #session = :session",
                # The second half lets botocore repeat the call after a lost response.
                ConditionExpression="password_hash = :old OR password_hash = :new",
                ExpressionAttributeNames={"#session": "session"},  # a reserved word
                ExpressionAttributeValues={
                    ":old": {"S": old_hash},
                    ":new": {"S": passwords.hash_password(new)},
                    ":session": {"S": str(uuid.uuid4())},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise Contention from error

    def sign_in(self, username: str, password: str, *, address: str | None = None) -> User:
        """Check a password, and renew its hash if that was made with old parameters.

        Args:
            username: The name, in any case.
            password: The password.
            address: The IP address of who asks, by which attempts are slowed.

        Raises:
            BadCredentials: the name or the password is wrong; both take the same time.
            TooManyAttempts: it was wrong too often, whatever it is now.
        """
        attempt = self._attempts.sign_in(username, address)
        item = self._find(username)
        if item is None:
            passwords.verify_nobodys(password)
            raise BadCredentials
        old_hash = item["password_hash"]["S"]
        is_right, new_hash = passwords.verify(password, old_hash)
        if not is_right:
            raise BadCredentials
        attempt.succeeded()
        if new_hash is not None:
            self._renew_hash(username, old_hash, new_hash)
        return user_from_item(item)

    def _find(self, username: str) -> Item | None:
        found = self._client.get_item(TableName=self._table, Key=user_key(username), ConsistentRead=True)
        item = found.get("Item")
        if item is None or "password_hash" not in item:  # which a counter has not
            return None
        conceal(item["password_hash"]["S"])
        return item

    def _item(self, username: str, session: str) -> Item:
        item = self._find(username)
        if item is None or session_of(item) != session:
            raise SessionEnded
        return item

    def _renew_hash(self, username: str, old: str, new: str) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=user_key(username),
                UpdateExpression="SET password_hash = :new",
                ConditionExpression="password_hash = :old",
                ExpressionAttributeValues={":old": {"S": old}, ":new": {"S": new}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            # Another login renewed it first, or the password changed: theirs is the newer one.
            return
