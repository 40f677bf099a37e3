"""Access tokens and device tokens: JSON Web Tokens (RFC 7519), signed with a key from Secrets Manager."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from shared.errors import InvalidToken, UncertainToken
from shared.logs import conceal
from shared.users.token_keys import TokenKeys
from shared.users.user import Device, Identity, User

_ALGORITHM = "HS256"
_ISSUER = "task-api"
_AUDIENCE = "task-api"
_DEVICE_AUDIENCE = "task-api sign-in"
_DEVICE_LIFETIME = 60 * 24 * 60 * 60
"""Lifetime in seconds: as long as its key is accepted, a month at least."""
_LEEWAY = 5
"""Seconds by which the clocks of machines may differ."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a verified access token."""

    user_id: str
    identity: Identity
    expires_at: int
    """Unix time in seconds."""


class TokenSigner:
    """Issues tokens and verifies them."""

    def __init__(self, keys: TokenKeys | None = None) -> None:
        self.keys = keys or TokenKeys()

    def issue(self, user: User, session: str, *, lifetime: int) -> str:
        """Sign an access token of a user's session that is valid for `lifetime` seconds."""
        claims = {"sub": user.id, "sid": user.generation, "ses": session, "username": user.username}
        return self._sign(claims, _AUDIENCE, lifetime)

    def verify(self, token: str) -> Claims:
        """Check an access token's signature, time, issuer and audience.

        Raises:
            UncertainToken: it may be good in a moment: its key is unknown here, or `iat` lies in the future.
            InvalidToken: any of them is wrong, or the text is no token.
        """
        claims = self._verified(token, _AUDIENCE, ["sub", "username"])
        return Claims(
            user_id=claims["sub"],
            identity=Identity(claims["username"], claims.get("sid", claims["sub"]), claims.get("ses")),
            expires_at=claims["exp"],
        )

    def issue_device(self, user: User, device: str) -> str:
        """Sign a token by which a device is known at further sign-ins, until the password changes."""
        claims = {"sub": user.id, "sid": user.generation, "device": device}
        return self._sign(claims, _DEVICE_AUDIENCE, _DEVICE_LIFETIME)

    def verify_device(self, token: str) -> Device | None:
        """Find the device of a device token; None if the token cannot be verified."""
        try:
            claims = self._verified(token, _DEVICE_AUDIENCE, ["sub", "sid", "device"])
        except InvalidToken:
            return None
        return Device(claims["device"], claims["sub"], claims["sid"])

    def _sign(self, claims: dict[str, str], audience: str, lifetime: int) -> str:
        now, key = time.time(), self.keys.current()
        times = {"iat": now, "exp": int(now) + lifetime}
        return jwt.encode(
            {**claims, **times, "iss": _ISSUER, "aud": audience},
            conceal(key.secret),
            algorithm=_ALGORITHM,
            headers={"kid": key.id},
        )

    def _verified(self, token: str, audience: str, names: list[str]) -> dict[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            if not isinstance(key_id, str):
                raise InvalidToken("names no key")
            key = self.keys.find(key_id)
            if key is None:
                raise UncertainToken("signed with an unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                conceal(key.secret),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=audience,
                leeway=_LEEWAY,
                options={"require": [*names, "iat", "exp", "iss", "aud"]},
            )
        except jwt.ImmatureSignatureError as error:
            raise UncertainToken(str(error)) from error
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise InvalidToken(str(error)) from error
        return claims
