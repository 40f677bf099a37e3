"""Attempts to guess a password, slowed by OWASP's device cookies.

An attempt counts against its device if it brings a device token that the user earned by an earlier sign-in,
and else against the account, where all strangers share one counter. So strangers slow each other down, and no
device that is known. Attempts count before the password is looked at, for names that do not exist as for
others: a refusal says nothing of the password, and nothing of who is a user.

See https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.aws import ConditionFailed, Item
from shared.errors import Contention, TooManyAttempts
from shared.users.table import UsersTable, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_RACES = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """Attempts allowed at once, and seconds until one more is allowed."""

    burst: int
    interval: int


OF_STRANGERS = Limit(burst=20, interval=60)
OF_DEVICE = Limit(burst=10, interval=300)
OF_SESSION = Limit(burst=5, interval=300)


@dataclass(frozen=True, slots=True)
class Counter:
    """Attempts that share a limit: a leaky bucket, of which the time is kept at which it is empty.

    That is all there is to an item, and its TTL. See https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
    """

    key: str
    limit: Limit

    @classmethod
    def of_strangers(cls, username: str) -> Counter:
        """The limit of unknown devices, or of a name that no user has."""
        return cls(_key("account", username.lower()), OF_STRANGERS)

    @classmethod
    def of_device(cls, device: str) -> Counter:
        """The limit of a known device; its id is that of the session that began on it."""
        return cls(_key("device", device), OF_DEVICE)

    @classmethod
    def of_session(cls, session: str) -> Counter:
        """The limit of a session, for guesses of the current password."""
        return cls(_key("session", session), OF_SESSION)

    def count(self, table: UsersTable, item: Item | None) -> None:
        """Count an attempt, once however often the call is sent.

        Args:
            table: The users table.
            item: The counter as it was read.

        Raises:
            TooManyAttempts: it has to wait, and is not counted.
        """
        for _ in range(_RACES):
            now = int(time.time())
            empty_at = int(item["expires_at"]["N"]) if item else 0
            latest = now + (self.limit.burst - 1) * self.limit.interval
            if empty_at > latest:
                raise TooManyAttempts(empty_at - latest)
            try:
                table.write(self._one_more(table, now, latest, is_empty=empty_at <= now))
            except ConditionFailed:  # a concurrent attempt was counted first
                (item,) = table.read(self.key)
            except Contention:
                break
            else:
                return
        raise TooManyAttempts(1)

    def take_back(self, table: UsersTable) -> TransactWriteItemTypeDef:
        """Make the write that takes back one attempt, which was not a guess."""
        return table.update(
            self.key,
            "SET expires_at = if_not_exists(expires_at, :now) - :interval",
            now=number(int(time.time())),
            interval=number(self.limit.interval),
        )

    def _one_more(
        self, table: UsersTable, now: int, latest: int, *, is_empty: bool
    ) -> TransactWriteItemTypeDef:
        interval = number(self.limit.interval)
        if is_empty:
            return table.update(
                self.key,
                "SET expires_at = :now + :interval",
                "attribute_not_exists(expires_at) OR expires_at <= :now",
                now=number(now),
                interval=interval,
            )
        return table.update(
            self.key,
            "SET expires_at = expires_at + :interval",
            "expires_at > :now AND expires_at <= :latest",
            now=number(now),
            interval=interval,
            latest=number(latest),
        )


def _key(kind: str, subject: str) -> str:
    """Name a counter, by a digest, because people type passwords into the wrong field."""
    return f"attempts#{kind}#{hashlib.sha256(subject.encode()).hexdigest()}"
