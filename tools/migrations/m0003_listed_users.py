"""Adds users from before version 1.1 to the index that lists users."""

from __future__ import annotations

from collections.abc import Mapping

from shared.aws import Item
from shared.users.user import LISTED, is_user
from tools.migrations.runner import Change, Migration


def list_users(_parameters: Mapping[str, str]) -> Migration:
    """Add missing users to the index."""

    def change(item: Item) -> Change | None:
        if not is_user(item) or "listed" in item:
            return None
        return {
            "UpdateExpression": "SET listed = :listed",
            "ConditionExpression": "attribute_exists(password_hash)",  # not deleted meanwhile
            "ExpressionAttributeValues": {":listed": {"S": LISTED}},
        }

    return Migration(
        number=3, title="users to the index that lists them", table="UsersTable", settings={}, change=change
    )
