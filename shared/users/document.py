"""The JSON representations of users, tokens and API keys."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from shared.schema import Schema, UnixTime, Uuid
from shared.users.api_key import ApiKey, Scope
from shared.users.user import User


class UserDocument(TypedDict):
    """A user."""

    id: Uuid
    username: Annotated[str, Schema(description="As its owner wrote it.", examples=["ada"])]
    created_at: UnixTime


class ListedUserDocument(TypedDict):
    """A user, as other users see them."""

    username: Annotated[str, Schema(description="As its owner wrote it.", examples=["ada"])]


class TokenDocument(TypedDict):
    """An access token, and the refresh token for the next one (RFC 6749, section 5.1)."""

    access_token: Annotated[str, Schema(examples=["eyJhbGciOi…"])]
    token_type: Literal["bearer"]
    expires_in: Annotated[
        int, Schema(description="Seconds for which the access token is valid.", examples=[3600])
    ]
    refresh_token: Annotated[
        str,
        Schema(
            description="Exchange it, once, for new tokens before 30 days have passed; after 90 days in all, "
            "sign in again.",
            examples=["5dYzv….QkFs4….x0PzW…"],
        ),
    ]
    device_token: Annotated[
        str,
        Schema(
            description="Keep it on this device, and send it along when you sign in the next time: then "
            "nobody who guesses your password slows you down.",
            examples=["eyJhbGciOi…"],
        ),
    ]


class ApiKeyDocument(TypedDict):
    """An API key, without its secret."""

    id: Uuid
    name: Annotated[str, Schema(examples=["nightly report"])]
    scope: Scope
    created_at: UnixTime
    expires_at: Annotated[
        int | None, Schema(description="Unix time in whole seconds; null if it has no end.", examples=[None])
    ]


class ApiKeyWithSecretDocument(ApiKeyDocument):
    """A new API key, with its secret."""

    key: Annotated[
        str,
        Schema(
            description="The secret. It is shown this once. Send it as `Authorization: Bearer <key>`.",
            examples=["tsk_4f1d…"],
        ),
    ]


def user_document(user: User) -> UserDocument:
    """Represent a user."""
    return {"id": user.id, "username": user.username, "created_at": user.created_at}


def api_key_document(key: ApiKey) -> ApiKeyDocument:
    """Represent an API key."""
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }
