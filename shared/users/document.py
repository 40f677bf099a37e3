"""The JSON representation of a user, and of an access token."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from shared.schema import Schema, UnixTime, Uuid
from shared.users.user import User


class UserDocument(TypedDict):
    """A user."""

    id: Uuid
    username: Annotated[str, Schema(description="As its owner wrote it.", examples=["ada"])]
    created_at: UnixTime


class TokenDocument(TypedDict):
    """An access token (RFC 6749, section 5.1)."""

    access_token: Annotated[str, Schema(examples=["eyJhbGciOi…"])]
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Schema(description="Seconds for which the token is valid.", examples=[3600])]


def user_document(user: User) -> UserDocument:
    """Represent a user."""
    return {"id": user.id, "username": user.username, "created_at": user.created_at}


def token_document(token: str, *, expires_in: int) -> TokenDocument:
    """Represent an access token.

    Args:
        token: The token.
        expires_in: Seconds for which it is valid.
    """
    return {"access_token": token, "token_type": "bearer", "expires_in": expires_in}
