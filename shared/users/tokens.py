"""Access tokens: JSON Web Tokens (RFC 7519), signed with a key from Secrets Manager that they name."""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

from shared.errors import InvalidToken, UncertainToken
from shared.logs import conceal
from shared.users.token_keys import TokenKeys
from shared.users.user import User

_ALGORITHM = "HS256"
_ISSUER = "task-api"
_AUDIENCE = "task-api"
_LEEWAY = 5
"""Seconds by which the clocks of machines may differ."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a verified token."""

    user_id: str
    username: str
    session: str
    """The id of the user's sessions when it was issued: see `User.session`."""
    expires_at: int
    """Unix time in seconds."""


class TokenSigner:
    """Issues tokens and verifies them."""

    def __init__(self, keys: TokenKeys | None = None) -> None:
        self._keys = keys or TokenKeys()

    def issue(self, user: User, *, lifetime: int) -> str:
        """Sign a token for a user that is valid for `lifetime` seconds."""
        now = time.time()
        claims = {
            "sub": user.id,
            "sid": user.session,
            "username": user.username,
            "iat": now,
            "exp": int(now) + lifetime,
            "iss": _ISSUER,
            "aud": _AUDIENCE,
        }
        key = self._keys.current()
        return jwt.encode(claims, conceal(key.secret), algorithm=_ALGORITHM, headers={"kid": key.id})

    def verify(self, token: str) -> Claims:
        """Check a token's signature, time, issuer and audience.

        Raises:
            UncertainToken: it may be good in a moment: its key is unknown here, or `iat` lies in the future.
            InvalidToken: any of them is wrong, or the text is no token.
        """
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            if not isinstance(key_id, str):
                raise InvalidToken("names no key")
            key = self._keys.find(key_id)
            if key is None:
                raise UncertainToken("signed with an unknown key")
            claims = jwt.decode(
                token,
                conceal(key.secret),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                leeway=_LEEWAY,
                options={"require": ["sub", "username", "iat", "exp", "iss", "aud"]},
            )
        except jwt.ImmatureSignatureError as error:
            raise UncertainToken(str(error)) from error
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise InvalidToken(str(error)) from error
        return Claims(
            user_id=claims["sub"],
            username=claims["username"],
            session=claims.get("sid", claims["sub"]),
            expires_at=claims["exp"],
        )
