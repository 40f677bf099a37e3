"""Applies migrations: item by item, recorded as it goes on, at a pace that leaves the functions theirs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.aws import Item
from tools.stacks import MAX_CALLS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

Change = Mapping[str, Any]
"""The arguments of UpdateItem that change an item, without table and key.

Its condition must fail if the item is no longer what it was made for.
"""

RECORDS_TABLE = "TasksTable"
"""The table that holds the records of all migrations, as items `MIGRATION#<number>`."""
_WRITERS = MAX_CALLS
"""How many items are changed at once."""
RATE = 200
"""How many items are changed a second, unless another number is asked for."""
_PAGE_SIZE = 100
"""How many items are read before a pause; small, because those to change are changed in a burst."""
_RACE_PAUSE = 0.05
"""Seconds to wait for a transaction that holds an item."""
_LOOKS = 10
"""How many times leftovers are looked for before it is given up."""
_LOOK_PAUSE = 1
"""Seconds before each look; an index follows its table with a delay, usually of milliseconds."""


class MigrationError(Exception):
    """A migration cannot be applied; the message says why."""


class Unchangeable(Exception):
    """An item cannot be changed, and somebody has to decide; the message says what about."""


class TakenOver(Exception):
    """Another run of the same migration has started, and continues instead of this one."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What to do to each item of a table."""

    number: int
    title: str
    table: str
    """The table's logical id in the template."""
    settings: Mapping[str, str]
    """What of the stack's parameters it depends on: when that changes, it is to be applied again."""
    change: Callable[[Item], Change | None]
    """Tells how to change an item; None when it is as it should be, whoever made it so.

    Raises:
        Unchangeable: it cannot be changed.
    """
    write: Callable[[DynamoDBClient, Mapping[str, str], Item, Change], object] | None = None
    """Writes a change of the item that has a key, where UpdateItem does not do; is given all tables' names.

    Raises:
        Unchangeable: it cannot be written.
    """
    leftovers: Callable[[DynamoDBClient, str], Iterator[Item]] = lambda _client, _table: iter(())
    """Finds items of the table, by an index, that are not as they should be.

    For when functions may have undone what was recorded, having served with other settings meanwhile. An item
    that has been changed just now may still be among them.
    """


@dataclass(frozen=True, slots=True)
class Progress:
    """A migration's progress: its record in the table."""

    settings: Mapping[str, str]
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Which run is at it."""
    position: Item | None = None
    """The key of the item up to which all are done."""
    read: int = 0
    changed: int = 0
    left: int = 0
    """Numbers of items; those that are left could not be changed."""
    finished_at: int | None = None
    """Unix time in seconds."""


class Runner:
    """Applies migrations to the tables of a stack."""

    def __init__(self, client: DynamoDBClient, tables: Mapping[str, str], rate: int = RATE) -> None:
        """Prepare.

        Args:
            client: A client for as many calls at once as `tools.stacks` makes them for.
            tables: The tables' names by logical id.
            rate: How many items to change a second.
        """
        self._client = client
        self._tables = tables
        self._rate = rate

    def progress(self, migration: Migration) -> Progress | None:
        """Find out how far a migration has come with its settings.

        None when it has not begun, or when functions have undone it since.
        """
        answer = self._client.get_item(
            TableName=self._tables[RECORDS_TABLE], Key=_record_key(migration), ConsistentRead=True
        )
        if "Item" not in answer:
            return None
        found = _progress_from_item(answer["Item"])
        if found.settings != migration.settings or (found.finished_at and any(self._leftovers(migration))):
            return None
        return found

    def estimated_items(self, migration: Migration) -> int:
        """How many items there are to look at, as DynamoDB counted them within the last six hours."""
        return self._describe(migration)["ItemCount"]

    def apply(
        self,
        migration: Migration,
        report: Callable[[Progress], object],
        *,
        again: bool = False,
        complain: Callable[[str], object] = print,
    ) -> Progress:
        """Apply a migration, from where its last run ended.

        Every page of items is recorded once it is done, so an interrupted run costs one page. Does nothing
        when it is applied already, unless it is to be applied `again`, from the start.

        Args:
            migration: What to apply.
            report: Called with the progress after each page.
            again: Whether it is applied although that was done.
            complain: Called with what somebody has to decide about an item that is left as it is.

        Raises:
            TakenOver: another run has begun.
            MigrationError: what is changed does not stay so.
        """
        found = None if again else self.progress(migration)
        if found and found.finished_at:
            return found
        fresh = Progress(dict(migration.settings))
        progress = replace(found, run=fresh.run) if found else fresh
        self._record(migration, progress, take_over=True)
        key_names = [each["AttributeName"] for each in self._describe(migration)["KeySchema"]]
        change = partial(self._change, migration, key_names, complain)
        with ThreadPoolExecutor(_WRITERS) as writers:
            for items, position in self._pages(migration, progress.position):
                began = time.monotonic()
                outcomes = list(writers.map(change, items))
                changed = outcomes.count(True)
                progress = replace(
                    progress,
                    position=position,
                    read=progress.read + len(items),
                    changed=progress.changed + changed,
                    left=progress.left + outcomes.count(False),
                )
                self._record(migration, progress)
                report(progress)
                time.sleep(max(0, began + changed / self._rate - time.monotonic()))
        progress = replace(progress, finished_at=int(time.time()))
        self._record(migration, progress)
        return progress

    def _pages(
        self, migration: Migration, position: Item | None
    ) -> Iterator[tuple[Sequence[Item], Item | None]]:
        """Yield items to look at, each time with the position to go on from once they are done.

        First all that are in the table, then leftovers until there are none.
        """
        start = {"ExclusiveStartKey": position} if position else {}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._tables[migration.table],
            ConsistentRead=True,
            PaginationConfig={"PageSize": _PAGE_SIZE},
            **start,  # type: ignore[arg-type]
        )
        for page in pages:
            # After the last page it stays where it is: an interrupted search for leftovers costs a page too.
            position = page.get("LastEvaluatedKey", position)
            yield page["Items"], position
        for _ in range(_LOOKS):
            time.sleep(_LOOK_PAUSE)
            leftovers = self._leftovers(migration)
            found = False
            while items := list(islice(leftovers, _PAGE_SIZE)):
                found = True
                yield items, position
            if not found:
                return
        raise MigrationError(
            "Functions still write what this migration is to change. Is a deployment under way? "
            "Wait until it has ended, and run this again."
        )

    def _leftovers(self, migration: Migration) -> Iterator[Item]:
        return migration.leftovers(self._client, self._tables[migration.table])

    def _describe(self, migration: Migration) -> TableDescriptionTypeDef:
        return self._client.describe_table(TableName=self._tables[migration.table])["Table"]

    def _change(
        self, migration: Migration, key_names: list[str], complain: Callable[[str], object], item: Item
    ) -> bool | None:
        """Change an item if needed; retried when somebody else changes it meanwhile.

        Returns:
            Whether it could be changed; None if it did not need to be.
        """
        table = self._tables[migration.table]
        key = {name: item[name] for name in key_names}
        current: Item | None = item
        while current:
            try:
                change = migration.change(current)
                if change is None:
                    return None
                if migration.write:
                    migration.write(self._client, self._tables, key, change)
                else:
                    self._client.update_item(TableName=table, Key=key, **change)
            except self._client.exceptions.ConditionalCheckFailedException:
                pass
            except self._client.exceptions.TransactionConflictException:
                time.sleep(_RACE_PAUSE)
            except Unchangeable as error:
                complain(str(error))
                return False
            else:
                return True
            current = self._client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return None

    def _record(self, migration: Migration, progress: Progress, *, take_over: bool = False) -> None:
        mine: dict[str, Any] = {
            "ConditionExpression": "run = :run",
            "ExpressionAttributeValues": {":run": {"S": progress.run}},
        }
        try:
            self._client.put_item(
                TableName=self._tables[RECORDS_TABLE],
                Item=_progress_to_item(migration, progress),
                **({} if take_over else mine),
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise TakenOver from error


def _record_key(migration: Migration) -> dict[str, Any]:
    return {"pk": {"S": f"MIGRATION#{migration.number:04}"}}


def _progress_to_item(migration: Migration, progress: Progress) -> dict[str, Any]:
    item = {
        **_record_key(migration),
        "title": {"S": migration.title},
        "settings": {"M": {name: {"S": value} for name, value in progress.settings.items()}},
        "run": {"S": progress.run},
        "read": {"N": str(progress.read)},
        "changed": {"N": str(progress.changed)},
        "left": {"N": str(progress.left)},
    }
    if progress.position:
        item["position"] = {"M": progress.position}
    if progress.finished_at:
        item["finished_at"] = {"N": str(progress.finished_at)}
    return item


def _progress_from_item(item: Item) -> Progress:
    finished_at = item.get("finished_at")
    return Progress(
        settings={name: value["S"] for name, value in item["settings"]["M"].items()},
        run=item["run"]["S"],
        position=item.get("position", {}).get("M"),
        read=int(item["read"]["N"]),
        changed=int(item["changed"]["N"]),
        left=int(item.get("left", {"N": "0"})["N"]),
        finished_at=int(finished_at["N"]) if finished_at else None,
    )
