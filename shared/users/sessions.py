"""Sessions, which last from sign-in to sign-out, a new password, or too long a pause.

A session is an item of the users table. It ends with the password's generation that it has, so a new password
ends all of them without listing them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hmac import compare_digest
from itertools import dropwhile
from typing import TYPE_CHECKING

from shared.aws import Item
from shared.errors import (
    Contention,
    InvalidRefreshToken,
    RefreshTokenReused,
    SessionEnded,
    TooManyAttempts,
    Unavailable,
)
from shared.users.refresh_tokens import RefreshToken, digest
from shared.users.table import UsersTable, text
from shared.users.token_keys import TokenKeys
from shared.users.user import Identity, User, is_user, user_from_item, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_IDLE_TIMEOUT = 30 * 24 * 60 * 60
"""Seconds without a refresh after which a session ends."""
_LIFETIME = 90 * 24 * 60 * 60
"""Seconds after which a session ends in any case."""
_GRACE = 60
"""Seconds in which a used token is exchanged again: a response got lost, or a second tab was slower."""
_MOST_USED = 20
"""Tokens that may be used within the grace period."""
_RACES = 5


@dataclass(frozen=True, slots=True)
class Use:
    """The exchange of a refresh token."""

    token: str
    """Its digest."""
    key: str
    """The id of the signing key that its successor was computed with."""
    at: float
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session. Times are Unix times in seconds."""

    id: str
    username: str
    """In lower case."""
    generation: str
    """Of the user's password."""
    family: str
    """Digest of the secret that all its refresh tokens share."""
    current: str
    """Digest of the refresh token that was issued last."""
    used: Sequence[Use]
    """Uses of earlier ones within the grace period, the oldest first; each one's successor was used next."""
    created_at: int
    expires_at: int


class Sessions:
    """All sessions."""

    def __init__(self, table: UsersTable | None = None) -> None:
        self._table = table or UsersTable()

    def check(self, identity: Identity) -> Item:
        """Check that the user of a token exists and is signed in; returns the user's item.

        Raises:
            SessionEnded: the user is gone, has changed the password, or has signed out.
            Unavailable: the table is too busy.
        """
        user, _ = read_signed_in(self._table, identity)
        return user

    def begin(self, user: User) -> tuple[Session, RefreshToken, TransactWriteItemTypeDef]:
        """Begin a session of a user; returns it, its first refresh token, and the write that stores it."""
        token, now = RefreshToken.first(), int(time.time())
        session = Session(
            id=token.session,
            username=user_key(user.username),
            generation=user.generation,
            family=digest(token.family),
            current=digest(token),
            used=(),
            created_at=now,
            expires_at=now + _IDLE_TIMEOUT,
        )
        return session, token, self._table.put(session_key(session.id), _to_item(session))

    def refresh(self, token: RefreshToken, keys: TokenKeys) -> tuple[User, Session, RefreshToken]:
        """Exchange a refresh token for its successor.

        Within the grace period one that was used is exchanged for the session's current one: so all tabs have
        the same, and so has who tries again. Later its use means that somebody stole it.

        Raises:
            RefreshTokenReused: it was used before, and now the session has ended.
            TooManyAttempts: the session is refreshed over and over.
            InvalidRefreshToken: it is unknown, or its session has ended.
            Contention: others used it at the same time, over and over.
        """
        for _ in range(_RACES):
            user, session = self._of(token)
            now = time.time()
            if digest(token) == session.current:
                key = keys.current()
                successor = token.successor(key.secret)
                if self._rotate(session, successor, Use(session.current, key.id, now)):
                    return user, session, successor
                continue  # another use came first, maybe our own, whose response got lost
            places = [place for place, use in enumerate(session.used) if use.token == digest(token)]
            if not places or now - session.used[places[0]].at > _GRACE:
                self.end(session.id)
                raise RefreshTokenReused
            for use in session.used[places[0] :]:
                token = token.successor(_secret(keys, use.key))
            return user, session, token
        raise Contention

    def revoke(self, token: RefreshToken) -> None:
        """End the session of a refresh token, if there is one."""
        try:
            _, session = self._of(token)
        except InvalidRefreshToken:
            return
        self.end(session.id)

    def end(self, session_id: str) -> None:
        """End a session."""
        self._table.client.delete_item(
            TableName=self._table.name, Key={"username": {"S": session_key(session_id)}}
        )

    def _of(self, token: RefreshToken) -> tuple[User, Session]:
        (item,) = self._table.read(session_key(token.session))
        if item is None or not compare_digest(item["family"]["S"], digest(token.family)):
            raise InvalidRefreshToken
        session = _from_item(item)
        identity = Identity(session.username, session.generation, session.id)
        try:
            (user,) = self._table.read(session.username)
            return user_from_item(checked(identity, user, item)), session
        except SessionEnded as error:
            raise InvalidRefreshToken from error

    def _rotate(self, session: Session, successor: RefreshToken, use: Use) -> bool:
        """Make the successor the current token, unless another use came first."""
        recent = list(dropwhile(lambda each: use.at - each.at > _GRACE, session.used))
        if len(recent) >= _MOST_USED:
            raise TooManyAttempts(math.ceil(recent[0].at + _GRACE - use.at))
        rotated = replace(
            session,
            current=digest(successor),
            used=[*recent, use],
            expires_at=min(int(use.at) + _IDLE_TIMEOUT, session.created_at + _LIFETIME),
        )
        item = _to_item(rotated)
        return self._table.try_update(
            session_key(session.id),
            "SET #current = :current, #used = :used, expires_at = :end",
            "#current = :seen",
            {"#current": "current", "#used": "used"},
            current=item["current"],
            used=item["used"],
            end=item["expires_at"],
            seen=text(session.current),
        )


def session_key(session_id: str) -> str:
    """Key of a session's item."""
    return f"session#{session_id}"


def read_signed_in(table: UsersTable, identity: Identity, *keys: str) -> tuple[Item, list[Item | None]]:
    """Read the user of a token, and other items, in one round trip; returns the user's item and the others.

    Raises:
        SessionEnded: the user is gone, has changed the password, or has signed out.
        Unavailable: the table is too busy.
    """
    sessions = [session_key(identity.session)] if identity.session else []
    user, *found = table.read(user_key(identity.username), *keys, *sessions)
    return checked(identity, user, *found[len(keys) :]), found[: len(keys)]


def checked(identity: Identity, user: Item | None, session: Item | None = None) -> Item:
    """Check a token's claims against the items of its user and session; returns the user's item.

    Raises:
        SessionEnded: the user is gone, has changed the password, or has signed out.
    """
    generation = identity.generation
    if identity.session:
        if session is None or float(session["expires_at"]["N"]) <= time.time():
            raise SessionEnded
        generation = session["generation"]["S"]  # unique to the user
    if user is None or not is_user(user) or user_from_item(user).generation != generation:
        raise SessionEnded
    return user


def _secret(keys: TokenKeys, key_id: str) -> str:
    key = keys.find(key_id)
    if key is None:  # only other execution environments have read it so far
        raise Unavailable
    return key.secret


def _to_item(session: Session) -> Item:
    return {
        "user": {"S": session.username},
        "generation": {"S": session.generation},
        "family": {"S": session.family},
        "current": {"S": session.current},
        "used": {
            "L": [
                {"M": {"token": {"S": use.token}, "key": {"S": use.key}, "at": {"N": str(use.at)}}}
                for use in session.used
            ]
        },
        "created_at": {"N": str(session.created_at)},
        "expires_at": {"N": str(session.expires_at)},
    }


def _from_item(item: Item) -> Session:
    uses = [use["M"] for use in item["used"]["L"]]
    return Session(
        id=item["username"]["S"].partition("#")[2],
        username=item["user"]["S"],
        generation=item["generation"]["S"],
        family=item["family"]["S"],
        current=item["current"]["S"],
        used=[Use(use["token"]["S"], use["key"]["S"], float(use["at"]["N"])) for use in uses],
        created_at=int(item["created_at"]["N"]),
        expires_at=int(item["expires_at"]["N"]),
    )
