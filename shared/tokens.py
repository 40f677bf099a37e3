"""Access tokens: JSON Web Tokens (RFC 7519), signed with a key from Secrets Manager."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import cast

import jwt
from aws_lambda_powertools.utilities.parameters import SecretsProvider

from shared.aws import CLIENT_CONFIG
from shared.errors import InvalidToken
from shared.users import User

_ALGORITHM = "HS256"
_ISSUER = "task-api"
_AUDIENCE = "task-api"
_KEY_MAX_AGE = 300
"""Seconds for which an execution environment keeps the key it read."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    user_id: str
    username: str
    expires_at: int
    """Unix time in seconds."""


class TokenSigner:
    """Issues tokens and verifies them."""

    def __init__(self, secrets: SecretsProvider | None = None, secret_id: str | None = None) -> None:
        self._secrets = secrets or SecretsProvider(boto_config=CLIENT_CONFIG)
        self._secret_id = secret_id or os.environ["TOKEN_SECRET"]

    def issue(self, user: User, *, lifetime: int) -> str:
        """Sign a token for a user that is valid for `lifetime` seconds."""
        now = int(time.time())
        claims = {
            "sub": user.id,
            "username": user.username,
            "iat": now,
            "exp": now + lifetime,
            "iss": _ISSUER,
            "aud": _AUDIENCE,
        }
        return jwt.encode(claims, self._key(), algorithm=_ALGORITHM)

    def verify(self, token: str) -> Claims:
        """Check a token's signature, time, issuer and audience.

        Raises:
            InvalidToken: any of them is wrong, or the text is no token.
        """
        try:
            claims = jwt.decode(
                token,
                self._key(),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                options={"require": ["sub", "username", "iat", "exp", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(str(error)) from error
        return Claims(user_id=claims["sub"], username=claims["username"], expires_at=claims["exp"])

    def _key(self) -> str:
        return cast(str, self._secrets.get(self._secret_id, max_age=_KEY_MAX_AGE))
