"""The keys that sign access tokens: versions of a secret in Secrets Manager."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws
from shared.clock import Moment
from shared.errors import Unavailable
from shared.logs import conceal, logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

Stage = Literal["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"]
"""A label that Secrets Manager attaches to one version of a secret."""

_MAX_AGE = 300
"""Seconds for which an execution environment caches the keys."""
_ASK_AGAIN_INTERVAL = 1
"""Seconds between two reads for unknown keys."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key."""

    id: str
    """The secret's version; a token names it as its `kid` (RFC 7515, section 4.1.4)."""
    secret: str


class TokenKeys:
    """The current key, which signs, and the previous one, whose tokens are accepted until they expire."""

    def __init__(self, client: SecretsManagerClient | None = None, secret_id: str | None = None) -> None:
        self._client = client or aws.client("secretsmanager")
        self._secret_id = secret_id or os.environ["TOKEN_SECRET"]
        self._known: dict[Stage, tuple[TokenKey | None, Moment]] = {}
        """The keys, and when they were read."""
        self._asked_again: Moment | None = None

    def current(self) -> TokenKey:
        """Find the key to sign with. For minutes after a rotation it can be the previous one.

        Raises:
            LookupError: the secret is gone.
        """
        key = self._key("AWSCURRENT")
        if key is None:
            raise LookupError(f"The secret {self._secret_id} is gone.")
        return key

    def find(self, key_id: str) -> TokenKey | None:
        """Find the key that a token names, if it is one of the two.

        An unknown one may be new, so Secrets Manager is asked again: once a second at most, because anybody
        can make up names.

        Raises:
            LookupError: the secret is gone.
        """
        key = self._find(key_id)
        if key is None and (self._asked_again is None or self._asked_again.age >= _ASK_AGAIN_INTERVAL):
            self._asked_again = Moment.now()
            key = self._find(key_id, max_age=0)
        return key

    def _find(self, key_id: str, max_age: float = _MAX_AGE) -> TokenKey | None:
        current = self._key("AWSCURRENT", max_age)
        if current is None:
            raise LookupError(f"The secret {self._secret_id} is gone.")
        if current.id == key_id:
            return current
        previous = self._key("AWSPREVIOUS", max_age)
        return previous if previous is not None and previous.id == key_id else None

    def _key(self, stage: Stage, max_age: float = _MAX_AGE) -> TokenKey | None:
        known = self._known.get(stage)
        if known is not None and known[1].age < max_age:
            return known[0]
        try:
            key = read_key(self._client, self._secret_id, stage)
        except (Unavailable, BotoCoreError, ClientError):
            if known is None:
                raise
            # During an outage of Secrets Manager, cached keys stay valid.
            logger.exception("a key could not be read again", stage=stage)
            key = known[0]
        self._known[stage] = key, Moment.now()
        return key


def read_key(
    client: SecretsManagerClient, secret_id: str, stage: Stage, version: str | None = None
) -> TokenKey | None:
    """Read the key at a stage, if there is one; with a version, only that version."""
    which = {"VersionId": version} if version else {}
    try:
        answer = client.get_secret_value(SecretId=secret_id, VersionStage=stage, **which)
    except client.exceptions.ResourceNotFoundException:
        return None
    return TokenKey(answer["VersionId"], conceal(answer["SecretString"]))
