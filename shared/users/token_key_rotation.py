"""The rotation of the key that signs access tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared import aws
from shared.logs import conceal
from shared.users.token_keys import read_key

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_KEY_BYTES = 48


class TokenKeyRotation:
    """The rotation of the key in four steps, each of which may be repeated.

    See https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    """

    def __init__(self, client: SecretsManagerClient | None = None) -> None:
        self._client = client or aws.client("secretsmanager")

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
        if read_key(self._client, secret_id, "AWSPENDING", version) is None:
            self._client.put_secret_value(
                SecretId=secret_id,
                ClientRequestToken=version,
                SecretString=conceal(secrets.token_urlsafe(_KEY_BYTES)),
                VersionStages=["AWSPENDING"],
            )

    def _test(self, secret_id: str, version: str) -> None:
        key = read_key(self._client, secret_id, "AWSPENDING", version)
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
