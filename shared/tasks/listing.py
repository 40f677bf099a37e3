"""Lists of tasks: a merge of the partitions of an index."""

from __future__ import annotations

import heapq
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import aws
from shared.tasks.indexes import DUE_INDEX, STATUS_INDEX, StatusShards, due_key
from shared.tasks.order import Order, Place
from shared.tasks.query import TaskPage, TaskQuery
from shared.tasks.table import task_from_item
from shared.tasks.task import Task, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from shared.aws import Item

_READERS = 10
"""How many partitions of the index are queried at once: as many connections as botocore keeps open."""
_MAX_ITEMS = 1_000
"""More items than a query reads: it ends at 1 MB. See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""
_MAX_BYTES = 4_000_000
"""About so much is read for a page, beside what each partition's first query reads. Then the page ends,
however few tasks it has."""
_END_OF_TIME = 10**18
"""Later than any task, in microseconds."""


class Budget:
    """What may yet be read for a page."""

    def __init__(self, left: float = math.inf) -> None:
        self.left = left
        """In bytes."""


def merge(partitions: Iterable[Iterator[Task]], query: TaskQuery, budget: Budget) -> TaskPage:
    """Merge partitions into a page of the list, reading them no further than it needs.

    Args:
        partitions: Tasks of each partition, in the query's order. While a change of status is on its way,
            a task can be in two of them: the newer version is the one listed.
        query: What the page is to have.
        budget: What reading the partitions uses up. The page ends when nothing is left.
    """
    merged = heapq.merge(*partitions, key=query.position, reverse=query.order is Order.CREATED_AT)
    unique = (
        max(copies, key=attrgetter("version")) for _, copies in itertools.groupby(merged, key=query.position)
    )
    page: list[Task] = []
    skip, examined = query.skip, query.after
    for task in unique:
        if not query.follows(task):
            continue  # it was seen before, and the cursor must not go back
        if query.admits(task):
            if skip:
                skip -= 1
            elif len(page) < query.limit:
                page.append(task)
            else:
                return TaskPage(page, examined and Place(examined, order=query.order))
        examined = query.position(task)
        if budget.left <= 0:
            return TaskPage(page, Place(examined, skip, query.order))
    return TaskPage(page, None)


def in_order(tasks: Iterable[Task]) -> Iterator[Task]:
    """Order tasks of equal times, which DynamoDB leaves open, of a partition that is ordered by time."""
    for _, simultaneous in itertools.groupby(tasks, key=attrgetter("created_at")):
        yield from sorted(simultaneous, key=attrgetter("id"), reverse=True)


class _Range(NamedTuple):
    """A part of an index: of each partition, what lies between two values of the sort key, both included."""

    index_name: str
    sort_key: str
    first: AttributeValueTypeDef
    last: AttributeValueTypeDef
    is_empty: bool
    is_descending: bool


def _range_by_age(query: TaskQuery) -> _Range:
    last = _END_OF_TIME if query.created_before is None else query.created_before - 1
    if query.after is not None:
        # Tasks of the cursor's own microsecond are read again, because some may come after it.
        last = min(last, query.after.at)
    return _Range(STATUS_INDEX, "created_at", {"N": "0"}, {"N": str(last)}, last < 0, is_descending=True)


def _range_by_due_date(query: TaskQuery) -> _Range:
    first = "0" if query.due_after is None else f"{query.due_after + 1:012}"
    last = "~" if query.due_before is None else f"{query.due_before:012}"
    if query.after is not None:
        first = max(first, due_key(query.after))
    return _Range(DUE_INDEX, "due", {"S": first}, {"S": last}, last < first, is_descending=False)


class TaskListing:
    """Lists of tasks."""

    def __init__(
        self,
        client: DynamoDBClient | None = None,
        table: str | None = None,
        shards: StatusShards | None = None,
    ) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["TASKS_TABLE"]
        self._shards = shards or StatusShards.from_environment()
        self._readers = ThreadPoolExecutor(_READERS) if self._shards.read > 1 else None

    def page(self, query: TaskQuery) -> TaskPage:
        """Read a page of tasks. Indexes lag behind the table, usually by milliseconds.

        Where few tasks pass the filters, or many are skipped, a page can be short, or empty, and others
        follow.
        """
        by_age = query.order is Order.CREATED_AT
        part = _range_by_age(query) if by_age else _range_by_due_date(query)
        if part.is_empty:
            return TaskPage([], None)
        # A page's tasks are spread evenly over the shards, more or less.
        share = 1.5 / self._shards.read if self._shards.read > 1 else 1
        # Beside the page: the cursor's own task, one that tells whether a next page exists, and one that
        # closes a run of equal times.
        expected = math.ceil((query.skip + query.limit) * share) + 3
        budget = Budget(_MAX_BYTES)
        partitions: list[Iterator[Task]] = [
            map(task_from_item, self._query(part, partition_key, expected, budget))
            for status in query.statuses or TaskStatus
            for partition_key in self._shards.partition_keys(status)
        ]
        if by_age:
            partitions = [in_order(each) for each in partitions]
        if self._readers:
            partitions = list(self._readers.map(_start, partitions))
        return merge(partitions, query, budget)

    def _query(self, part: _Range, partition_key: str, limit: int, budget: Budget) -> Iterator[Item]:
        """Yield a partition's items.

        The first query reads up to `limit` items, and each further one four times as many, within reason:
        few may pass a filter, and while a migration moves tasks, most can be in one shard.
        """
        start: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName=self._table,
                IndexName=part.index_name,
                KeyConditionExpression="#status = :status AND #sort BETWEEN :first AND :last",
                ExpressionAttributeNames={"#status": "status", "#sort": part.sort_key},
                ExpressionAttributeValues={
                    ":status": {"S": partition_key},
                    ":first": part.first,
                    ":last": part.last,
                },
                ScanIndexForward=not part.is_descending,
                Limit=limit,
                **start,
            )
            if start:
                budget.left -= len(str(page["Items"]).encode())
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
            limit = max(limit, min(4 * limit, _MAX_ITEMS))


def _start(tasks: Iterator[Task]) -> Iterator[Task]:
    """Read as far as the first task."""
    return itertools.chain(list(itertools.islice(tasks, 1)), tasks)
