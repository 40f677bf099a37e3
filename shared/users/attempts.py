"""Attempts to guess a password: after some that are free, each has to wait twice as long as the one before.

They are counted before the password is looked at, for names that do not exist as for others: so a response
says nothing of the password, and nothing of who is a user. An address from which a user signed in before is
not slowed by what others try, so nobody is locked out for good.

See https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import ConditionFailed
from shared.errors import Contention, TooManyAttempts, Unavailable
from shared.logs import logger
from shared.users.counters import Counter, Counters, Limit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OF_ACCOUNT_AND_ADDRESS = Limit(free=5, longest=15 * 60)
OF_ACCOUNT = Limit(free=20, longest=60)
OF_ADDRESS = Limit(free=100, longest=15 * 60)
_KNOWN = 30 * 24 * 60 * 60
"""Seconds for which an address is known from which a user signed in."""
_RACES = 5


class Attempt:
    """An attempt that has been counted."""

    def __init__(self, counters: Counters, counted: list[Counter]) -> None:
        """Take the counters as they were before it."""
        self._counters = counters
        self._counted = counted

    def succeeded(self) -> None:
        """Take it back, because it was no guess. An address stays counted for its other attempts."""
        try:
            for each in self._counted:
                if each.limit is OF_ADDRESS:
                    self._counters.take_back(each)
                else:
                    is_of_address = each.limit is OF_ACCOUNT_AND_ADDRESS
                    self._counters.forget(each, known_for=_KNOWN if is_of_address else 0)
        except (Unavailable, BotoCoreError, ClientError):
            logger.exception("an attempt that succeeded stays counted")


class Attempts:
    """The attempts of all, by the users table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._counters = Counters(client, table)

    def sign_in(self, username: str, address: str | None) -> Attempt:
        """Count an attempt to sign in.

        Raises:
            TooManyAttempts: it has to wait.
        """
        network = _network(address)
        pair = Counter(_key("account and address", username, network), OF_ACCOUNT_AND_ADDRESS)
        counters = [pair, Counter(_key("account", username), OF_ACCOUNT)]
        if network is not None:
            counters.append(Counter(_key("address", network), OF_ADDRESS))
        return self._count(counters)

    def change_password(self, username: str) -> Attempt:
        """Count an attempt to name the current password, by one who is signed in.

        Raises:
            TooManyAttempts: it has to wait.
        """
        return self._count([Counter(_key("change of password", username), OF_ACCOUNT_AND_ADDRESS)])

    def sign_up(self, address: str | None) -> None:
        """Count a new user.

        Raises:
            TooManyAttempts: it has to wait.
        """
        network = _network(address)
        if network is not None:
            self._count([Counter(_key("sign-up", network), OF_ADDRESS)])

    def _count(self, counters: list[Counter]) -> Attempt:
        for _ in range(_RACES):
            seen = self._counters.read(counters)
            now = time.time()
            if seen[0].known_until > now:
                seen = seen[:1]  # what others try, from wherever, does not slow who is known
            wait = max(each.next_at for each in seen) - now
            if wait > 0:
                raise TooManyAttempts(math.ceil(wait))
            try:
                self._counters.count(seen)
            except ConditionFailed:
                continue  # another attempt came first
            except Contention:
                break
            return Attempt(self._counters, seen)
        raise TooManyAttempts(1)


def _key(kind: str, *subject: str | None) -> str:
    """Name a counter, as no user can be named, and without what somebody typed into the wrong field."""
    digest = hashlib.sha256("\n".join(str(part).lower() for part in subject).encode()).hexdigest()
    return f"{kind}#{digest}"


def _network(address: str | None) -> str | None:
    """The network of one client, of IPv6 a /64; None of an address that tells nobody apart.

    API Gateway knows the public address of each client. A private one is that of all who use a local stack.
    """
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if not parsed.is_global:
        return None
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
