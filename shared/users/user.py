"""What a user is, and the keys and values of its item in the users table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from shared.aws import Item


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password hash. `created_at` is a Unix time in seconds."""

    id: str
    username: str
    """As its owner wrote it; names that differ only in case are one name."""
    created_at: int
    session: str
    """The id of the sessions that begin now: at first the user's own, a new one with each new password."""


def user_key(username: str) -> dict[str, AttributeValueTypeDef]:
    """Key of a user's item: the name in lower case.

    Of ASCII alone: some other characters would become letters of a name that is not this one.
    """
    return {"username": {"S": username.lower() if username.isascii() else username}}


def session_of(item: Item) -> str:
    """Find the id of a user's sessions."""
    return str(item.get("session", item["id"])["S"])


def user_from_item(item: Item) -> User:
    """Convert an item of the users table to a user."""
    return User(
        id=item["id"]["S"],
        username=item["display_name"]["S"],
        created_at=int(item["created_at"]["N"]),
        session=session_of(item),
    )
