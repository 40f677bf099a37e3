"""The keys that sign access tokens: versions of a secret in Secrets Manager."""

from __future__ import annotations

import math
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.aws import aws_client

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

Stage = Literal["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"]
"""A label that Secrets Manager attaches to one version of a secret."""

_MAX_AGE = 300
"""Seconds for which an execution environment keeps what it read."""
_ASK_AGAIN_INTERVAL = 1
"""Seconds between two looks for keys that are not known."""
_KEY_BYTES = 48


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key."""

    id: str
    """The secret's version; a token names it as its `kid` (RFC 7515, section 4.1.4)."""
    secret: str


class TokenKeys:
    """The key that signs, and the one before it, whose tokens are honoured until they expire."""

    def __init__(self, client: SecretsManagerClient | None = None, secret_id: str | None = None) -> None:
        self._client = client or _secrets_manager_client()
        self._secret_id = secret_id or os.environ["TOKEN_SECRET"]
        self._known: dict[Stage, tuple[TokenKey | None, float]] = {}
        """The keys, and when they were read, in seconds of the monotonic clock."""
        self._asked_again_at = -math.inf

    def current(self) -> TokenKey:
        """Find the key to sign with. For minutes after a rotation it can be the one before.

        Raises:
            LookupError: the secret is gone.
        """
        key = self._key("AWSCURRENT")
        if key is None:
            raise LookupError(f"The secret {self._secret_id} is gone.")
        return key

    def find(self, key_id: str) -> TokenKey | None:
        """Find the key that a token names, if it is one of the two.

        One that is not known may be new, so Secrets Manager is asked again; but not all the time, because
        anybody can make up names.

        Raises:
            LookupError: the secret is gone.
        """
        key = self._find(key_id)
        if key is None and time.monotonic() - self._asked_again_at >= _ASK_AGAIN_INTERVAL:
            self._asked_again_at = time.monotonic()
            self._known.clear()
            key = self._find(key_id)
        return key

    def _find(self, key_id: str) -> TokenKey | None:
        current = self.current()
        if current.id == key_id:
            return current
        previous = self._key("AWSPREVIOUS")
        return previous if previous is not None and previous.id == key_id else None

    def _key(self, stage: Stage) -> TokenKey | None:
        if stage not in self._known or time.monotonic() - self._known[stage][1] > _MAX_AGE:
            self._known[stage] = _read(self._client, self._secret_id, stage), time.monotonic()
        return self._known[stage][0]


class TokenKeyRotation:
    """The rotation of the key in four steps, each of which may be repeated.

    See https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    """

    def __init__(self, client: SecretsManagerClient | None = None) -> None:
        self._client = client or _secrets_manager_client()

    def run(self, step: str, secret_id: str, version: str) -> None:
        """Do one step.

        Args:
            step: `createSecret`, `setSecret`, `testSecret` or `finishSecret`.
            secret_id: The secret's ARN or name.
            version: The id of the version to make current.

        Raises:
            ValueError: the new key is not there or not a key, or the step has another name.
        """
        match step:
            case "createSecret":
                self._create(secret_id, version)
            case "setSecret":
                pass  # nobody but the functions knows the key: there is nowhere else to set it
            case "testSecret":
                self._test(secret_id, version)
            case "finishSecret":
                self._finish(secret_id, version)
            case _:
                raise ValueError(f"{step!r} is no step of a rotation")

    def _create(self, secret_id: str, version: str) -> None:
        if _read(self._client, secret_id, "AWSPENDING", version) is None:
            self._client.put_secret_value(
                SecretId=secret_id,
                ClientRequestToken=version,
                SecretString=secrets.token_urlsafe(_KEY_BYTES),
                VersionStages=["AWSPENDING"],
            )

    def _test(self, secret_id: str, version: str) -> None:
        key = _read(self._client, secret_id, "AWSPENDING", version)
        if key is None or len(key.secret) < _KEY_BYTES:
            raise ValueError(f"The version {version} has no key of at least {_KEY_BYTES} characters.")

    def _finish(self, secret_id: str, version: str) -> None:
        versions = self._client.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
        current = next(name for name, stages in versions.items() if "AWSCURRENT" in stages)
        if current != version:
            self._client.update_secret_version_stage(
                SecretId=secret_id,
                VersionStage="AWSCURRENT",
                MoveToVersionId=version,
                RemoveFromVersionId=current,
            )


def _secrets_manager_client() -> SecretsManagerClient:
    client: SecretsManagerClient = aws_client("secretsmanager")
    return client


def _read(
    client: SecretsManagerClient, secret_id: str, stage: Stage, version: str | None = None
) -> TokenKey | None:
    """Read the key at a stage, if there is one; with a version, only if it is that."""
    which = {"VersionId": version} if version else {}
    try:
        answer = client.get_secret_value(SecretId=secret_id, VersionStage=stage, **which)
    except client.exceptions.ResourceNotFoundException:
        return None
    return TokenKey(answer["VersionId"], answer["SecretString"])
