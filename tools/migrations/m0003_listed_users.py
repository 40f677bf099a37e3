"""Each user is in the index that lists them, as new ones are since there is one."""

from __future__ import annotations

from collections.abc import Mapping

from shared.aws import Item
from shared.users.user import LISTED, is_user
from tools.migrations.runner import Change, Migration


def list_users(_parameters: Mapping[str, str]) -> Migration:
    """Put the users into the index who are not in it."""

    def change(item: Item) -> Change | None:
        if not is_user(item) or "listed" in item:
            return None
        return {
            "UpdateExpression": "SET listed = :listed",
            "ConditionExpression": "attribute_exists(password_hash)",  # who was deleted meanwhile stays so
            "ExpressionAttributeValues": {":listed": {"S": LISTED}},
        }

    return Migration(
        number=3, title="users to the index that lists them", table="UsersTable", settings={}, change=change
    )
