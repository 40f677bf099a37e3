"""The list of users, by name, from which assignees are chosen."""

from __future__ import annotations

from shared.users.table import UsersTable, text
from shared.users.user import LISTED, user_key

USERNAME_INDEX = "listed-username-index"


class Directory:
    """The users, read from an index that follows the table within a second."""

    def __init__(self, table: UsersTable | None = None) -> None:
        self._table = table or UsersTable()

    def page(self, prefix: str | None, limit: int, after: str | None) -> tuple[list[str], str | None]:
        """List names, as their owners wrote them, by their lower case.

        Args:
            prefix: How they begin, in any case; None for all.
            limit: How many to list at most.
            after: The key of the last user before the page; None for the first page.

        Returns:
            The names, and the key that the next page begins after; None if there is none.
        """
        # Of the characters that names have, none comes before "!" or after "~".
        start = user_key(prefix or "")
        low, high = max(start, f"{after}!" if after else "!"), f"{start}~"
        if low > high:
            return [], None
        answer = self._table.client.query(
            TableName=self._table.name,
            IndexName=USERNAME_INDEX,
            KeyConditionExpression="listed = :listed AND username BETWEEN :low AND :high",
            ExpressionAttributeValues={":listed": text(LISTED), ":low": text(low), ":high": text(high)},
            Limit=limit,
        )
        following = answer.get("LastEvaluatedKey")
        names = [item["display_name"]["S"] for item in answer["Items"]]
        return names, following["username"]["S"] if following else None
