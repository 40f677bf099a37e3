"""API keys, which programs send instead of a person's token.

The item of a key is found by the digest of its secret. Another item lists the keys of a user.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from shared.aws import ConditionFailed, Item
from shared.errors import ApiKeyNotFound, Contention, InvalidToken, TooManyApiKeys
from shared.logs import conceal
from shared.users.api_key import ApiKey, Scope, check_form, keys_from_item, keys_to_value, new_secret
from shared.users.refresh_tokens import digest
from shared.users.sessions import checked, read_signed_in
from shared.users.table import UsersTable, number, text
from shared.users.user import Identity, User, user_from_item, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MAX_KEYS = 25
"""How many keys a user may have."""
_RACES = 5


@dataclass(frozen=True, slots=True)
class Grant:
    """The identity and the scope of a key."""

    user: User
    key_id: str
    name: str
    scope: Scope
    expires_at: int | None
    """Unix time in seconds; None if it does not expire."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A user and the user's keys, read together."""

    user: User
    password_hash: str
    keys: dict[str, ApiKey]
    """Unexpired keys by id."""
    version: int
    """Of the list."""


class ApiKeys:
    """The API keys of all users."""

    def __init__(self, table: UsersTable | None = None) -> None:
        self._table = table or UsersTable()

    def create(
        self, identity: Identity, name: str, scope: Scope, expires_at: int | None
    ) -> tuple[ApiKey, str]:
        """Make a key for the signed-in user; returns it and its secret, which is not stored.

        Raises:
            SessionEnded: the session has ended.
            TooManyApiKeys: the user has as many as there may be.
            Contention: others change the user's keys all the time.
        """
        secret = new_secret()
        key = ApiKey(str(uuid.uuid4()), name, scope, int(time.time()), expires_at, digest(secret))
        for _ in range(_RACES):
            listed = self._read(identity)
            if len(listed.keys) >= MAX_KEYS:
                raise TooManyApiKeys(MAX_KEYS)
            put = self._table.put(_key(key), _to_item(key, listed.user))
            if self._write(put, listed, {**listed.keys, key.id: key}):
                return key, secret
        raise Contention

    def all_of(self, identity: Identity) -> list[ApiKey]:
        """List the signed-in user's keys, the newest first.

        Raises:
            SessionEnded: the session has ended.
        """
        keys = self._read(identity).keys.values()
        return sorted(keys, key=lambda key: (key.created_at, key.id), reverse=True)

    def delete(self, identity: Identity, key_id: str) -> None:
        """Delete a key of the signed-in user.

        Raises:
            SessionEnded: the session has ended.
            ApiKeyNotFound: there is no such key.
            Contention: others change the user's keys all the time.
        """
        for _ in range(_RACES):
            listed = self._read(identity)
            key = listed.keys.pop(key_id, None)
            if key is None:
                raise ApiKeyNotFound(key_id)
            if self._write(self._table.delete(_key(key)), listed, listed.keys):
                return
        raise Contention

    def check(self, secret: str) -> Grant:
        """Verify a key that a client sends.

        Raises:
            InvalidToken: it is not a key, was deleted, or has expired.
            SessionEnded: its user is gone, or has changed the password since it was made.
        """
        check_form(secret)
        (item,) = self._table.read(f"key#{digest(secret)}")
        end = int(item["expires_at"]["N"]) if item and "expires_at" in item else None
        if item is None or (end is not None and end <= time.time()):
            raise InvalidToken("unknown or expired API key")
        owner = item["user"]["S"]
        user, listed = self._table.read(owner, list_key(owner))
        found = user_from_item(checked(Identity(owner, item["generation"]["S"], None), user))
        key_id = item["id"]["S"]
        key = keys_from_item(listed).get(key_id)
        return Grant(found, key_id, key.name if key else key_id, cast(Scope, item["scope"]["S"]), end)

    def _read(self, identity: Identity) -> _Listed:
        item, (listed,) = read_signed_in(self._table, identity, list_key(identity.username))
        user, current, now = user_from_item(item), {}, time.time()
        if listed and listed["generation"]["S"] == user.generation:  # else version 1.0 changed the password
            listed_keys = keys_from_item(listed).values()
            current = {key.id: key for key in listed_keys if (key.expires_at or now + 1) > now}
        version = int(listed["version"]["N"]) if listed else 0
        return _Listed(user, conceal(item["password_hash"]["S"]), current, version)

    def _write(self, write: TransactWriteItemTypeDef, seen: _Listed, keys: dict[str, ApiKey]) -> bool:
        """Write a key and the list, unless the list or the password has changed since it was read."""
        key, version = list_key(seen.user.username), seen.version
        item = {
            "keys": keys_to_value(keys),
            "generation": text(seen.user.generation),
            "version": number(version + 1),
        }
        if version:
            listing = self._table.put(key, item, "version = :seen", seen=number(version))
        else:
            listing = self._table.put(key, item, "attribute_not_exists(version)")
        user = self._table.check(
            user_key(seen.user.username), "password_hash = :seen", seen=text(seen.password_hash)
        )
        try:
            self._table.write(write, listing, user)
        except ConditionFailed:
            return False
        return True


def removal(table: UsersTable, username: str, listed: Item | None) -> list[TransactWriteItemTypeDef]:
    """Make the writes that delete all keys of a user.

    Args:
        table: The users table.
        username: The user's name.
        listed: The item that lists the keys, as it was read.
    """
    if listed is None:
        return [table.delete(list_key(username), "attribute_not_exists(version)")]
    unchanged = table.delete(list_key(username), "version = :seen", seen=listed["version"])
    return [unchanged, *(table.delete(_key(key)) for key in keys_from_item(listed).values())]


def list_key(username: str) -> str:
    """Key of the item that lists a user's keys."""
    return f"keys#{user_key(username)}"


def _key(key: ApiKey) -> str:
    return f"key#{key.digest}"


def _to_item(key: ApiKey, owner: User) -> Item:
    return {
        "user": {"S": user_key(owner.username)},
        "generation": {"S": owner.generation},
        "id": {"S": key.id},
        "scope": {"S": key.scope},
        **({"expires_at": {"N": str(key.expires_at)}} if key.expires_at else {}),
    }
