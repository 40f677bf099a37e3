"""Users for tests."""

from __future__ import annotations

from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Identity

PASSWORD = "correct horse"


def signed_in(table: UsersTable, name: str) -> Identity:
    """Create a user and sign in; returns the session's identity."""
    users = UserStore(table)
    users.create(name, PASSWORD)
    user, session, _ = users.sign_in(name, PASSWORD)
    return Identity(user.username, user.generation, session.id)
