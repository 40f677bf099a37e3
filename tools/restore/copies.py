"""Temporary tables, restored from a stack's tables at a point in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tools.stacks import Stack, StackError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_POLL = 20
"""Seconds between two polls of a table's restore, which takes minutes at least."""


@dataclass(frozen=True)
class Copy:
    """A table of a stack, and its temporary copy."""

    logical_id: str
    table: str
    name: str
    """Name of the temporary table."""

    @classmethod
    def of(cls, stack: Stack, logical_id: str, to: datetime) -> Copy:
        """Name the copy of a table at a point in time."""
        table = stack.tables.get(logical_id) or stack.physical_name(logical_id)
        return cls(logical_id, table, f"{_prefix(table)}{to:%Y%m%dT%H%M%SZ}")


def check(client: DynamoDBClient, copies: Sequence[Copy], to: datetime) -> None:
    """Check that all tables can be restored, before anything changes.

    Raises:
        StackError: a table cannot be restored to that time, or another restore of it is not finished.
    """
    for copy in copies:
        if other := next((name for name in _temporary(client, copy) if name != copy.name), None):
            raise StackError(
                f"{copy.logical_id} has an unfinished restore to another time, in the table "
                f"{other}. Finish it first: run this command with that time as --to. If it has switched "
                f"nothing off yet, delete the table: aws dynamodb delete-table --table-name {other}"
            )
        if exists(client, copy):
            continue
        found = client.describe_continuous_backups(TableName=copy.table)["ContinuousBackupsDescription"]
        window = found.get("PointInTimeRecoveryDescription", {})
        earliest, latest = (window.get(f"{each}RestorableDateTime") for each in ("Earliest", "Latest"))
        if not isinstance(earliest, datetime) or not isinstance(latest, datetime):
            raise StackError(f"{copy.logical_id} has no point-in-time recovery, so it cannot be restored.")
        if not earliest.replace(microsecond=0) <= to <= latest:
            raise StackError(
                f"{copy.logical_id} can only be restored to a time from {_utc(earliest)} to {_utc(latest)}."
            )


def make(client: DynamoDBClient, copies: Sequence[Copy], to: datetime) -> None:
    """Restore all missing copies concurrently, and wait for them."""
    for copy in copies:
        if not exists(client, copy):
            client.restore_table_to_point_in_time(
                SourceTableName=copy.table,
                TargetTableName=copy.name,
                RestoreDateTime=to,
                GlobalSecondaryIndexOverride=[],  # indexes are not read, and take longest
            )
    began = time.monotonic()
    for copy in copies:
        while (status := client.describe_table(TableName=copy.name)["Table"]["TableStatus"]) == "CREATING":
            minutes = int(time.monotonic() - began) // 60
            print(f"{copy.logical_id}: restoring to {copy.name}, {minutes} min", flush=True)
            time.sleep(_POLL)
        if status != "ACTIVE":
            raise StackError(f"{copy.name} is {status}. Run this again in a few minutes.")
        print(f"{copy.logical_id}: restored to {copy.name}", flush=True)


def delete(client: DynamoDBClient, copies: Sequence[Copy]) -> None:
    """Delete the remaining temporary tables; the first one last, because it has the marks."""
    for copy in reversed(copies):
        if exists(client, copy):
            client.delete_table(TableName=copy.name)


def made_at(client: DynamoDBClient, copy: Copy) -> int:
    """Unix time when the temporary table was created; it identifies the restore."""
    return int(client.describe_table(TableName=copy.name)["Table"]["CreationDateTime"].timestamp())


def exists(client: DynamoDBClient, copy: Copy) -> bool:
    """Whether the temporary table exists, which means that a run was interrupted."""
    try:
        client.describe_table(TableName=copy.name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _temporary(client: DynamoDBClient, copy: Copy) -> list[str]:
    """List all temporary tables of a table."""
    pages = client.get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(_prefix(copy.table))]


def _prefix(table: str) -> str:
    return f"{table}-restored-"


def _utc(moment: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment.timestamp()))
