"""Users: sign-up, sign-in, passwords, and the deletion of accounts."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from shared.aws import ConditionFailed, Item
from shared.errors import BadCredentials, Contention, UsernameTaken, WrongPassword
from shared.logs import conceal
from shared.users import passwords
from shared.users.api_keys import list_key, removal
from shared.users.attempts import Counter
from shared.users.refresh_tokens import RefreshToken
from shared.users.sessions import Session, Sessions, read_signed_in, session_key
from shared.users.table import UsersTable, number, text
from shared.users.user import LISTED, Device, Identity, User, is_user, user_from_item, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef


class UserStore:
    """The users."""

    def __init__(self, table: UsersTable | None = None) -> None:
        self._table = table or UsersTable()
        self._sessions = Sessions(self._table)

    def create(self, username: str, password: str) -> User:
        """Store a new user.

        Raises:
            UsernameTaken: the name is or was a user's, in any case.
        """
        id_ = str(uuid.uuid4())
        user = User(id=id_, username=username, created_at=int(time.time()), generation=id_)
        try:
            self._table.client.put_item(
                TableName=self._table.name,
                Item={
                    "username": {"S": user_key(username)},
                    "listed": {"S": LISTED},
                    "id": {"S": user.id},
                    "display_name": {"S": username},
                    "password_hash": {"S": passwords.hash_password(password)},
                    "created_at": {"N": str(user.created_at)},
                },
                # The second half lets botocore repeat the call after a lost response.
                ConditionExpression="attribute_not_exists(username) OR id = :id",
                ExpressionAttributeValues={":id": {"S": user.id}},
            )
        except self._table.client.exceptions.ConditionalCheckFailedException as error:
            raise UsernameTaken(username) from error
        return user

    def sign_in(
        self, username: str, password: str, device: Device | None = None
    ) -> tuple[User, Session, RefreshToken]:
        """Check a password, and begin a session. Renews the hash if that was made with old parameters.

        Args:
            username: The name, in any case.
            password: The password.
            device: The device, if it has a token: strangers do not slow who has signed in on it before.

        Raises:
            BadCredentials: the name or the password is wrong; both take the same time.
            TooManyAttempts: it was wrong too often, even if it is right now.
        """
        strangers = Counter.of_strangers(username)
        counters = [strangers, Counter.of_device(device.id)] if device else [strangers]
        found, *counted = self._table.read(user_key(username), *(each.key for each in counters))
        user = user_from_item(found) if found and is_user(found) else None
        is_known = user is not None and device is not None and device.is_of(user)
        counter = counters[-1] if is_known else strangers
        counter.count(self._table, counted[-1] if is_known else counted[0])
        if found is None or user is None:
            passwords.verify_nobodys(password)
            raise BadCredentials
        old_hash = conceal(found["password_hash"]["S"])
        is_right, new_hash = passwords.verify(password, old_hash)
        if not is_right:
            raise BadCredentials
        session, token, begin = self._sessions.begin(user)
        self._table.write(begin, counter.take_back(self._table))
        if new_hash is not None:
            # If that fails, another login was first, or the password changes: theirs is the newer one.
            self._table.try_update(
                user_key(username),
                "SET password_hash = :new",
                "password_hash = :old",
                new=text(new_hash),
                old=text(old_hash),
            )
        return user, session, token

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Replace the password of the signed-in user. All other sessions end, and all API keys.

        Raises:
            TooManyAttempts: `current` was wrong too often in this session.
            WrongPassword: `current` is not the password.
            SessionEnded: the session has ended.
            Contention: the password or the keys were changed at the same time.
        """
        user, keys, counter = self._confirm(identity, current)
        generation = text(str(uuid.uuid4()))
        writes = [
            *password_change(self._table, user, keys, new, generation),
            counter.take_back(self._table),
        ]
        if identity.session:
            key = session_key(identity.session)
            writes.append(
                self._table.update(
                    key, "SET generation = :new", "attribute_exists(generation)", new=generation
                )
            )
        self._write(writes)

    def delete(self, identity: Identity, current: str) -> None:
        """Delete the account of the signed-in user, with its sessions and API keys. The name stays taken.

        Raises:
            TooManyAttempts: `current` was wrong too often in this session.
            WrongPassword: `current` is not the password.
            SessionEnded: the session has ended.
            Contention: the password or the keys were changed at the same time.
        """
        user, keys, counter = self._confirm(identity, current)
        writes = [*deletion(self._table, user, keys), self._table.delete(counter.key)]
        if identity.session:
            writes.append(self._table.delete(session_key(identity.session)))
        self._write(writes)

    def _confirm(self, identity: Identity, password: str) -> tuple[Item, Item | None, Counter]:
        """Check the password of the signed-in user.

        Returns:
            The user's item, that which lists the API keys, and the counter of this attempt.
        """
        counter = Counter.of_session(identity.session or identity.generation)
        keys = list_key(identity.username), counter.key
        user, (listed, counted) = read_signed_in(self._table, identity, *keys)
        old_hash = conceal(user["password_hash"]["S"])
        counter.count(self._table, counted)
        is_right, _ = passwords.verify(password, old_hash)
        if not is_right:
            raise WrongPassword
        return user, listed, counter

    def _write(self, writes: list[TransactWriteItemTypeDef]) -> None:
        try:
            self._table.write(*writes)
        except ConditionFailed as error:
            raise Contention from error


def password_change(
    table: UsersTable, user: Item, keys: Item | None, new: str, generation: AttributeValueTypeDef
) -> list[TransactWriteItemTypeDef]:
    """Make the writes that replace a password, which ends all sessions and API keys.

    Args:
        table: The users table.
        user: The user's item, as it was read.
        keys: The item that lists the user's API keys, as it was read.
        new: The new password.
        generation: The new password's.
    """
    name = user["username"]["S"]
    change = table.update(
        name,
        "SET password_hash = :new, #session = :generation",
        "password_hash = :old",
        {"#session": "session"},  # a reserved word
        new=text(passwords.hash_password(new)),
        generation=generation,
        old=user["password_hash"],
    )
    return [change, *removal(table, name, keys)]


def deletion(table: UsersTable, user: Item, keys: Item | None) -> list[TransactWriteItemTypeDef]:
    """Make the writes that delete a user and keep the name reserved; arguments as for `password_change`."""
    name = user["username"]["S"]
    # Version 1.0 compares this with a token.
    left = {"id": user["id"], "session": text("deleted"), "deleted_at": number(int(time.time()))}
    put = table.put(name, left, "password_hash = :old", old=user["password_hash"])
    return [put, *removal(table, name, keys)]
