"""Passwords, hashed with argon2id."""

from __future__ import annotations

import unicodedata

from passlib.context import CryptContext

from shared.logs import conceal

# Memory (KiB), passes and lanes as the OWASP Password Storage Cheat Sheet recommends for argon2id.
# Raising one renews each hash at its owner's next login.
_context = CryptContext(
    schemes=["argon2"], argon2__memory_cost=19_456, argon2__time_cost=2, argon2__parallelism=1
)
# A constant. passlib would hash a dummy when it first needs one, so the first unknown name in an execution
# environment would take twice as long.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$da41BqCU0lprLSWE0For5Q$+kaK1NmoeobG1H+MR1WsfqGc/An3mdIKHWhnZvwEoIQ"
)


def hash_password(password: str) -> str:
    """Hash a password."""
    return conceal(str(_context.hash(password)))


def verify(password: str, hashed: str) -> tuple[bool, str | None]:
    """Check a password as typed against a hash, which may be of text that is not in NFC.

    Returns:
        Whether it matches, and a new hash to store when this one has old parameters or another form.
    """
    composed, *others = _forms(password)
    is_right, new_hash = _context.verify_and_update(composed, hashed)
    if is_right:
        return True, new_hash
    if any(_context.verify(form, hashed) for form in others):
        return True, hash_password(composed)
    return False, None


def verify_nobodys(password: str) -> None:
    """Take as long as `verify`, for a user who does not exist."""
    for form in _forms(password):
        _context.verify(form, _NOBODYS_HASH)


def _forms(password: str) -> list[str]:
    """List the forms in which a password may have been hashed: at first they were as they had been typed."""
    forms = (unicodedata.normalize("NFC", password), password, unicodedata.normalize("NFD", password))
    return [conceal(form) for form in dict.fromkeys(forms)]
