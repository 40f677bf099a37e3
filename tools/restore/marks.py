"""Tags on a temporary table: which run owns it, and whether the tables are restored."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tools.stacks import StackError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_RUN, _DONE = "restored-by", "restored"
_INTERVAL = 5
"""Seconds between two checks for another run. A new run writes nothing for longer than that."""


class TakenOver(StackError):
    """Another run has taken over the tables."""


class Marks:
    """The marks of one temporary table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._run = secrets.token_hex(8)
        self._looked_at = 0.0

    def claim(self) -> None:
        """Take over the tables from all earlier runs."""
        self._set(_RUN, self._run)
        self._looked_at = time.monotonic()

    def check(self) -> None:
        """Check that no other run has started since.

        Raises:
            TakenOver: another run has started.
        """
        if time.monotonic() - self._looked_at < _INTERVAL:
            return
        self._looked_at = time.monotonic()
        tags = self._tags()
        if tags.get(_RUN) != self._run or _DONE in tags:
            raise TakenOver("Another run of this command has taken over; this one has ended.")

    def set_done(self) -> None:
        """Record that the tables are restored: from now on they may be newer than their copy."""
        self._set(_DONE, "yes")

    @property
    def are_done(self) -> bool:
        """Whether the tables are restored; then only switching writes on and deleting copies remain."""
        return _DONE in self._tags()

    def _arn(self) -> str:
        return self._client.describe_table(TableName=self._table)["Table"]["TableArn"]

    def _set(self, name: str, value: str) -> None:
        self._client.tag_resource(ResourceArn=self._arn(), Tags=[{"Key": name, "Value": value}])

    def _tags(self) -> dict[str, str]:
        found = self._client.list_tags_of_resource(ResourceArn=self._arn()).get("Tags", [])
        return {tag["Key"]: tag["Value"] for tag in found}
