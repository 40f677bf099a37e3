"""Users, and their items in the users table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.aws import Item


LISTED = "user"
"""The partition of the index that lists users."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password hash. `created_at` is a Unix time in seconds."""

    id: str
    username: str
    """As the user wrote it; names that differ only in case are the same name."""
    created_at: int
    generation: str
    """Generation of the password: first the user's id, then a new id per password; older sessions end."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a token, and its reads of the users table."""

    username: str
    generation: str
    """Of the password when the token was issued."""
    session: str | None
    """The session's id; tokens of version 1.0 have none, and are good as long as their generation is."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a user has signed in on."""

    id: str
    user_id: str
    generation: str
    """Of the user's password at that time."""

    def is_of(self, user: User) -> bool:
        """Whether this user has signed in on it with the current password."""
        return (self.user_id, self.generation) == (user.id, user.generation)


def user_key(username: str) -> str:
    """Key of a user's item: the name in lower case.

    Of ASCII alone: some other characters would become letters of a name that is not this one.
    """
    return username.lower() if username.isascii() else username


def is_user(item: Item | None) -> bool:
    """Whether an item is a user's; the item that reserves a deleted user's name is not."""
    return item is not None and "password_hash" in item


def user_from_item(item: Item) -> User:
    """Convert an item of the users table to a user."""
    return User(
        id=item["id"]["S"],
        username=item["display_name"]["S"],
        created_at=int(item["created_at"]["N"]),
        generation=item.get("session", item["id"])["S"],
    )
