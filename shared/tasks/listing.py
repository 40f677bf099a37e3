"""Lists of tasks: a merge of the partitions of an index."""

from __future__ import annotations

import heapq
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.tasks.indexes import Part, StatusShards, part_for
from shared.tasks.position import Place, Sort
from shared.tasks.query import TaskPage, TaskQuery
from shared.tasks.table import task_from_item
from shared.tasks.task import Task, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.aws import Item

_READERS = 10
"""How many partitions of the index are queried at once: as many connections as botocore keeps open."""
_MAX_ITEMS = 1_000
"""More items than a query reads: it ends at 1 MB. See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""
_MAX_BYTES = 4_000_000
"""About so much is read for a page, beside what each partition's first query reads. Then the page ends,
however few tasks it has."""


class Budget:
    """How much may still be read for a page."""

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
    merged = heapq.merge(*partitions, key=query.position, reverse=query.sort is Sort.CREATED_AT)
    unique = (
        max(copies, key=attrgetter("version")) for _, copies in itertools.groupby(merged, key=query.position)
    )
    page: list[Task] = []
    skip, examined = query.skip, query.after
    for task in unique:
        if not query.follows(task):
            continue  # an earlier page had it; the cursor must not go back
        if query.admits(task):
            if skip:
                skip -= 1
            elif len(page) < query.limit:
                page.append(task)
            else:
                return TaskPage(page, examined and Place(examined, sort=query.sort))
        examined = query.position(task)
        if budget.left <= 0:
            return TaskPage(page, Place(examined, skip, query.sort))
    return TaskPage(page, None)


def in_order(tasks: Iterable[Task]) -> Iterator[Task]:
    """Order tasks with equal times in a partition sorted by time, which DynamoDB leaves unordered."""
    for _, simultaneous in itertools.groupby(tasks, key=attrgetter("created_at")):
        yield from sorted(simultaneous, key=attrgetter("id"), reverse=True)


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
        by_age = query.sort is Sort.CREATED_AT
        part = part_for(query, self._shards)
        # A page's tasks are spread evenly over the shards, more or less.
        shards = len(part.partitions) / len(query.statuses or TaskStatus)
        share = 1.5 / shards if shards > 1 else 1
        # Four more than the page: the cursor's own task, one that shows whether a next page exists, and two
        # that end runs of equal times and of copies of one task.
        expected = math.ceil((query.skip + query.limit) * share) + 4
        budget = Budget(_MAX_BYTES)
        partitions: list[Iterator[Task]] = [
            map(task_from_item, self._query(part, partition, expected, budget, is_descending=by_age))
            for partition in part.partitions
        ]
        if by_age:
            partitions = [in_order(each) for each in partitions]
        if self._readers:
            partitions = list(self._readers.map(_start, partitions))
        return merge(partitions, query, budget)

    def _query(
        self, part: Part, partition: str, limit: int, budget: Budget, *, is_descending: bool
    ) -> Iterator[Item]:
        """Yield a partition's items.

        The first query reads up to `limit` items, and each further one four times as many, within reason:
        few may pass a filter, and while a migration moves tasks, most can be in one shard.
        """
        start: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName=self._table,
                IndexName=part.index_name,
                KeyConditionExpression="#partition = :partition AND #sort BETWEEN :first AND :last",
                ExpressionAttributeNames={"#partition": part.partition_key, "#sort": part.sort_key},
                ExpressionAttributeValues={
                    ":partition": {"S": partition},
                    ":first": part.first,
                    ":last": part.last,
                },
                ScanIndexForward=not is_descending,
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
