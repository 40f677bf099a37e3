"""Makes a table equal to its copy, and writes and deletes only the differences.

Each write is conditional on the compared item, so that a retry is harmless. If a late call changed the item
meanwhile, it is compared again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from shared.aws import Item
from tools.events.command import Progress
from tools.restore.copies import Copy
from tools.restore.wanted import Wanted, has_expired, read_items
from tools.stacks import MAX_CALLS, StackError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE_SIZE = 100
"""Items compared at once, the limit of a batch read."""
_PASSES = 5
"""Maximum number of comparisons of the whole table until nothing differs."""


@dataclass(frozen=True)
class Difference:
    """An item's current and wanted state; None means no item."""

    key: Item
    there: Item | None
    wanted: Item | None


class Differences:
    """Differences between a table and its copy."""

    def __init__(
        self, client: DynamoDBClient, copy: Copy, wanted: Wanted, rate: int, check: Callable[[], None]
    ) -> None:
        """Create the comparison.

        Args:
            client: A DynamoDB client.
            copy: The table and its copy.
            wanted: Chooses the items of the copy that the table should have.
            rate: Items to write per second.
            check: Called before each page; raises an exception to end the run.
        """
        self._client = client
        self._copy = copy
        self._wanted = wanted
        self._rate = rate
        self._check = check
        schema = client.describe_table(TableName=copy.table)["Table"]["KeySchema"]
        self._key_names = [each["AttributeName"] for each in schema]
        self._compared = self._written = self._deleted = 0

    def level(self) -> int:
        """Write and delete the differences; returns how many items changed.

        Raises:
            StackError: something keeps writing to the table.
        """
        with Progress(self._rate, self._line) as progress, ThreadPoolExecutor(MAX_CALLS) as pool:
            for _ in range(_PASSES):
                self._compared, is_level = 0, True
                for differences in chain(self._missing(), self._surplus()):
                    self._check()
                    changed = list(pool.map(self._change, differences))
                    written = sum(
                        done for done, each in zip(changed, differences, strict=True) if each.wanted
                    )
                    self._written += written
                    self._deleted += changed.count(True) - written
                    is_level = is_level and all(changed)
                    progress.pause(len(differences))
                if is_level:
                    return self._written + self._deleted
        raise StackError(f"Something keeps writing to {self._copy.table}. Stop it, and run this again.")

    def _line(self) -> str:
        return (
            f"{self._copy.logical_id}: {self._compared:,} items compared, {self._written:,} written, "
            f"{self._deleted:,} deleted"
        )

    def _missing(self) -> Iterator[list[Difference]]:
        """Find, by pages, items of the copy that the table lacks or has in another state."""
        for page in self._scan(self._copy.name):
            wanted = list(self._wanted(page))
            there = self._get(self._copy.table, [item for item, _ in wanted])
            yield [
                Difference(self._key(item), there.get(self._id(item)), written)
                for item, written in wanted
                if there.get(self._id(item)) not in (item, written)
            ]

    def _surplus(self) -> Iterator[list[Difference]]:
        """Find, by pages, items of the table that the copy lacks.

        Expired items are left to DynamoDB's TTL, whose removals publish the usual events.
        """
        for page in self._scan(self._copy.table):
            found = self._get(self._copy.name, page)
            wanted = {self._id(item) for item, _ in self._wanted(list(found.values()))}
            yield [
                Difference(self._key(item), item, None)
                for item in page
                if self._id(item) not in wanted and not has_expired(item)
            ]

    def _scan(self, table: str) -> Iterator[list[Item]]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": _PAGE_SIZE}
        )
        for page in pages:
            yield list(page["Items"])
            self._compared += len(page["Items"])

    def _get(self, table: str, items: Sequence[Item]) -> dict[str, Item]:
        """Read items with the same keys; missing ones are left out."""
        keys = [self._key(item) for item in items]
        return {self._id(item): item for item in read_items(self._client, table, keys)}

    def _change(self, difference: Difference) -> bool:
        """Write or delete an item, unless it has changed since; returns whether that succeeded."""
        same = _condition(difference.there, self._key_names[0])
        try:
            if difference.wanted is None:
                self._client.delete_item(TableName=self._copy.table, Key=difference.key, **same)
            else:
                self._client.put_item(TableName=self._copy.table, Item=difference.wanted, **same)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _key(self, item: Item) -> Item:
        return {name: item[name] for name in self._key_names}

    def _id(self, item: Item) -> str:
        return repr([item[name] for name in self._key_names])


def _condition(there: Item | None, key_name: str) -> dict[str, Any]:
    """Condition that fails a write if the item has changed since it was read."""
    if there is None:
        return {
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": key_name},
        }
    compared = [name for name, value in there.items() if "NULL" not in value]
    return {
        "ConditionExpression": " AND ".join(f"#{number} = :{number}" for number in range(len(compared))),
        "ExpressionAttributeNames": {f"#{number}": name for number, name in enumerate(compared)},
        "ExpressionAttributeValues": {f":{number}": there[name] for number, name in enumerate(compared)},
    }
