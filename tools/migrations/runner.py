"""Applies migrations item by item, records progress, and limits the rate so that functions can serve."""

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
"""Arguments of UpdateItem that change an item, without table and key.

Its condition must fail if the item has changed since it was read.
"""

RECORDS_TABLE = "TasksTable"
"""Table with the records of all migrations, as items `MIGRATION#<number>`."""
_WRITERS = MAX_CALLS
"""Items changed concurrently."""
RATE = 200
"""Default number of items to change per second."""
_PAGE_SIZE = 100
"""Items read before a pause; small, because a page's changes are written in a burst."""
_RACE_PAUSE = 0.05
"""Seconds to wait for a transaction that holds an item."""
_LOOKS = 10
"""Attempts to find no more leftovers before the migration fails."""
_LOOK_PAUSE = 1
"""Seconds before each attempt; an index lags behind its table, usually by milliseconds."""


class MigrationError(Exception):
    """A migration cannot be applied; the message says why."""


class Unchangeable(Exception):
    """An item cannot be changed automatically; the message says what to decide."""


class TakenOver(Exception):
    """Another run of the same migration has started, and continues instead of this one."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A change of each item of a table."""

    number: int
    title: str
    table: str
    """The table's logical id in the template."""
    settings: Mapping[str, str]
    """Stack parameters that it depends on; when they change, the migration applies again."""
    change: Callable[[Item], Change | None]
    """Returns how to change an item; None if the item is already correct.

    Raises:
        Unchangeable: it cannot be changed.
    """
    write: Callable[[DynamoDBClient, Mapping[str, str], Item, Change], object] | None = None
    """Writes a change if UpdateItem is not enough; takes the client, all table names, the key and the change.

    Raises:
        Unchangeable: it cannot be written.
    """
    leftovers: Callable[[DynamoDBClient, str], Iterator[Item]] = lambda _client, _table: iter(())
    """Finds items that are still wrong, through an index.

    Functions that still served with other settings may have undone changes. An item that was changed just now
    may still appear here.
    """


@dataclass(frozen=True, slots=True)
class Progress:
    """A migration's progress: its record in the table."""

    settings: Mapping[str, str]
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Id of the current run."""
    position: Item | None = None
    """Key of the last processed item."""
    read: int = 0
    changed: int = 0
    left: int = 0
    """Counts of items; `left` counts those that could not be changed."""
    finished_at: int | None = None
    """Unix time in seconds."""


class Runner:
    """Applies migrations to the tables of a stack."""

    def __init__(self, client: DynamoDBClient, tables: Mapping[str, str], rate: int = RATE) -> None:
        """Create a runner.

        Args:
            client: A client with a connection pool for `MAX_CALLS`, as `tools.stacks` makes it.
            tables: The tables' names by logical id.
            rate: Items to change per second.
        """
        self._client = client
        self._tables = tables
        self._rate = rate

    def progress(self, migration: Migration) -> Progress | None:
        """Read a migration's progress with its current settings.

        None if it has not started, or if functions have undone it since.
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
        """Number of items in the table, as DynamoDB counted them within the last six hours."""
        return self._describe(migration)["ItemCount"]

    def apply(
        self,
        migration: Migration,
        report: Callable[[Progress], object],
        *,
        again: bool = False,
        complain: Callable[[str], object] = print,
    ) -> Progress:
        """Apply a migration; an interrupted run resumes.

        Progress is recorded after each page of items, so a resumed run repeats at most one page. Does nothing
        if the migration is already applied, unless `again` restarts it.

        Args:
            migration: The migration.
            report: Called with the progress after each page.
            again: Whether to apply it from the start, even if it is applied.
            complain: Called with a message about each item that could not be changed.

        Raises:
            TakenOver: another run has started.
            MigrationError: functions keep undoing the changes.
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
        """Yield pages of items, each with the position to resume from after it.

        First all items of the table, then leftovers until there are none.
        """
        start = {"ExclusiveStartKey": position} if position else {}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._tables[migration.table],
            ConsistentRead=True,
            PaginationConfig={"PageSize": _PAGE_SIZE},
            **start,  # type: ignore[arg-type]
        )
        for page in pages:
            # The last page keeps its position, so an interrupted search for leftovers repeats only that page.
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
            "Functions still undo the changes of this migration. Is a deployment in progress? "
            "Wait until it has ended, and run this again."
        )

    def _leftovers(self, migration: Migration) -> Iterator[Item]:
        return migration.leftovers(self._client, self._tables[migration.table])

    def _describe(self, migration: Migration) -> TableDescriptionTypeDef:
        return self._client.describe_table(TableName=self._tables[migration.table])["Table"]

    def _change(
        self, migration: Migration, key_names: list[str], complain: Callable[[str], object], item: Item
    ) -> bool | None:
        """Change an item if needed; retries if another writer changes it meanwhile.

        Returns:
            Whether the change succeeded; None if none was needed.
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
