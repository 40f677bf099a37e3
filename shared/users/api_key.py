"""API keys: their secrets, and their items in the users table."""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from shared.errors import InvalidToken
from shared.logs import conceal

if TYPE_CHECKING:
    from shared.aws import Item

Scope = Literal["read", "write"]

PREFIX = "tsk_"
"""Prefix by which people and secret scanners recognize it."""
_BYTES = 32
_FORM = re.compile(rf"({PREFIX}[0-9a-f]{{64}})([0-9a-f]{{8}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without its secret. Times are Unix times in seconds."""

    id: str
    name: str
    """The name that its owner gave it."""
    scope: Scope
    created_at: int
    expires_at: int | None
    """None if it does not expire."""
    digest: str
    """SHA-256 of the secret, which has 256 random bits: nothing slower is needed."""


def new_secret() -> str:
    """Make the secret of a new key: the prefix, 64 random digits, and 8 that check them."""
    text = PREFIX + secrets.token_hex(_BYTES)
    return conceal(text + _checksum(text))


def check_form(secret: str) -> None:
    """Check a secret for typing errors, which need not be looked up.

    Raises:
        InvalidToken: no key has this secret.
    """
    found = _FORM.fullmatch(secret)
    if found is None or found[2] != _checksum(found[1]):
        raise InvalidToken("not an API key")


def keys_from_item(item: Item | None) -> dict[str, ApiKey]:
    """Read a user's keys by id from the item that lists them."""
    listed = item["keys"]["M"] if item else {}
    return {id_: _from_value(id_, value["M"]) for id_, value in listed.items()}


def keys_to_value(keys: dict[str, ApiKey]) -> Item:
    """Write a user's keys for the item that lists them."""
    return {
        "M": {
            key.id: {
                "M": {
                    "name": {"S": key.name},
                    "scope": {"S": key.scope},
                    "created_at": {"N": str(key.created_at)},
                    "digest": {"S": key.digest},
                    **({"expires_at": {"N": str(key.expires_at)}} if key.expires_at else {}),
                }
            }
            for key in keys.values()
        }
    }


def _from_value(id_: str, value: Item) -> ApiKey:
    return ApiKey(
        id=id_,
        name=value["name"]["S"],
        scope=cast(Scope, value["scope"]["S"]),
        created_at=int(value["created_at"]["N"]),
        expires_at=int(value["expires_at"]["N"]) if "expires_at" in value else None,
        digest=value["digest"]["S"],
    )


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
