"""Refresh tokens: each is used once, and its successor can be computed again from it.

See RFC 9700, section 4.14.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from shared.errors import InvalidRefreshToken
from shared.logs import conceal

_BYTES = 32
_PART = r"[A-Za-z0-9_-]{43}"  # 32 bytes in base64url
_FORM = re.compile(rf"({_PART})\.({_PART})\.({_PART})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token: `<session>.<family>.<secret>`."""

    session: str
    """The session's id."""
    family: str = field(repr=False)
    """A secret that all tokens of the session share; without it, nobody can end the session."""
    secret: str = field(repr=False)

    @classmethod
    def first(cls) -> Self:
        """Make the first one of a new session."""
        return cls(*(conceal(secrets.token_urlsafe(_BYTES)) for _ in range(3)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a token that a client sends.

        Raises:
            InvalidRefreshToken: it is not one.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise InvalidRefreshToken
        return cls(*map(conceal, found.groups()))

    def successor(self, key: str) -> RefreshToken:
        """Compute the next one under a signing key.

        The text that is signed is never that of an access token, which the key signs as well.
        """
        signed = hmac.digest(key.encode(), f"successor of refresh token {self}".encode(), "sha256")
        return replace(self, secret=conceal(base64.urlsafe_b64encode(signed).rstrip(b"=").decode()))

    def __str__(self) -> str:
        return f"{self.session}.{self.family}.{self.secret}"


def digest(secret: str | RefreshToken) -> str:
    """SHA-256 of a random secret, in hexadecimal; stored instead of the secret."""
    return hashlib.sha256(str(secret).encode()).hexdigest()
