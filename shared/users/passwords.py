"""Passwords, hashed with argon2id."""

from __future__ import annotations

from passlib.context import CryptContext

from shared.logs import conceal

# Memory (KiB), passes and lanes as the OWASP Password Storage Cheat Sheet recommends for argon2id.
# Raising one renews each hash at its owner's next login.
_context = CryptContext(
    schemes=["argon2"], argon2__memory_cost=19_456, argon2__time_cost=2, argon2__parallelism=1
)
# A constant, because passlib's own dummy is made when it is first needed: the first unknown name in an
# execution environment would take twice as long.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$da41BqCU0lprLSWE0For5Q$+kaK1NmoeobG1H+MR1WsfqGc/An3mdIKHWhnZvwEoIQ"
)


def hash_password(password: str) -> str:
    """Hash a password."""
    return conceal(str(_context.hash(password)))


def verify(password: str, hashed: str) -> tuple[bool, str | None]:
    """Check a password against a hash.

    Returns:
        Whether it is the right one, and a new hash to store when this one has old parameters.
    """
    is_right, new_hash = _context.verify_and_update(password, hashed)
    return bool(is_right), new_hash


def verify_nobodys(password: str) -> None:
    """Take as long as `verify` does, for a user who does not exist."""
    _context.verify(password, _NOBODYS_HASH)
