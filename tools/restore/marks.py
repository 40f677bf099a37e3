"""Marks on a temporary table, as tags: which run goes on with it, and whether the tables are restored."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tools.stacks import StackError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_RUN, _DONE = "restored-by", "restored"
_INTERVAL = 5
"""Seconds between two looks at whether another run has begun. It writes nothing for longer than that."""


class TakenOver(StackError):
    """Another run goes on with the tables."""


class Marks:
    """The marks of one temporary table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._run = secrets.token_hex(8)
        self._looked_at = 0.0

    def claim(self) -> None:
        """Go on with the tables in this run, and in no other that has begun before."""
        self._set(_RUN, self._run)
        self._looked_at = time.monotonic()

    def check(self) -> None:
        """Make sure that no other run has begun since.

        Raises:
            TakenOver: one has.
        """
        if time.monotonic() - self._looked_at < _INTERVAL:
            return
        self._looked_at = time.monotonic()
        tags = self._tags()
        if tags.get(_RUN) != self._run or _DONE in tags:
            raise TakenOver("Another run of this command goes on; this one has ended.")

    def set_done(self) -> None:
        """Remember that the tables are restored: from here on their copy is older than they are."""
        self._set(_DONE, "yes")

    @property
    def are_done(self) -> bool:
        """Whether the tables are restored, and what is left is to switch on and to delete."""
        return _DONE in self._tags()

    def _arn(self) -> str:
        return self._client.describe_table(TableName=self._table)["Table"]["TableArn"]

    def _set(self, name: str, value: str) -> None:
        self._client.tag_resource(ResourceArn=self._arn(), Tags=[{"Key": name, "Value": value}])

    def _tags(self) -> dict[str, str]:
        found = self._client.list_tags_of_resource(ResourceArn=self._arn()).get("Tags", [])
        return {tag["Key"]: tag["Value"] for tag in found}
