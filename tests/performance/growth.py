"""Growth: what a page of the list reads from tables of several sizes, and what a burst of readers reads."""

from __future__ import annotations

import contextlib
import io
import math
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import boto3
import redis

from shared.cache.pages import PageCache
from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.pages import CacheUse, TaskPages
from shared.tasks.position import Position, Sort
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.table import item_from_task
from shared.tasks.task import TaskStatus
from tests.aws import mocked_aws
from tests.performance.programs import backends, dynamodb, say
from tests.performance.report import lines, table
from tests.tasks import new_task, walk

SIZES = (100, 1_000, 10_000, 100_000)
DEEP = 10_000
SKIPS = (0, 10, 100, 1_000, 10_000)
SHARDS = (1, 4, 16)
LIMIT = 20
RARE = 1_000
"""Of this many tasks, one is assigned, one has a label, and one has a word in its title."""
WALKS = {
    "`sort=due_at`, the first page": TaskQuery(limit=LIMIT, sort=Sort.DUE_AT),
    "`sort=due_at`, a page amid equal dates": TaskQuery(
        limit=LIMIT, sort=Sort.DUE_AT, after=Position(86_399, "8")
    ),
    "`assignee=ada`, the first page": TaskQuery(limit=LIMIT, assignee="ada"),
    "`assignee=ada`, all": TaskQuery(limit=LIMIT, assignee="ada"),
    "`label=rare`, all": TaskQuery(limit=LIMIT, label="rare"),
    "`q=rare`, all": TaskQuery(limit=LIMIT, text="rare"),
    "`q=rare&status=PENDING`, all": TaskQuery(limit=LIMIT, text="rare", statuses=(TaskStatus.PENDING,)),
    "`q=rare&assignee=ada`, all": TaskQuery(limit=LIMIT, text="rare", assignee="ada"),
}
READERS = 50
_BLOCK = 4096
"""Bytes that half a capacity unit reads, eventually consistent. See
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""


@dataclass
class Reads:
    """Counts of what queries read."""

    pages: int = 0
    queries: int = 0
    items: int = 0
    units: float = 0

    def count(self, parsed: Any, **_: Any) -> None:
        self.queries += 1
        self.items += parsed["ScannedCount"]
        size = sum(_size(item) for item in parsed["Items"])
        self.units += max(1, math.ceil(size / _BLOCK)) * 0.5


@contextlib.contextmanager
def _counted(client: Any) -> Iterator[Reads]:
    """Count what a client's queries read."""
    reads = Reads()
    client.meta.events.register("after-call.dynamodb.Query", reads.count)
    yield reads
    client.meta.events.unregister("after-call.dynamodb.Query", reads.count)


def _size(item: dict[str, Any]) -> int:
    """The size of an item in bytes, as DynamoDB counts it.

    See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = 0
    for name, value in item.items():
        size += len(name.encode())
        if "S" in value:
            size += len(value["S"].encode())
        elif "L" in value:
            size += 3 + sum(1 + len(each["S"].encode()) for each in value["L"])
        else:  # a number takes a byte for two digits and one more, and null takes one
            size += (len(value.get("N", "")) + 1) // 2 + 1
    return size


def measure() -> str:
    grown, skipped = _grow()
    walked = [row for size in SIZES if size >= DEEP for row in _walk_all(size)]
    spread = [_spread(shards) for shards in SHARDS]
    with contextlib.redirect_stdout(io.StringIO()):  # hides metrics
        bursts = [
            ["without a cache", *_burst(alone=True)],
            ["no page in the cache", *_burst()],
            ["a cache that has just lost its memory", *_burst(empty=True)],
        ]
    rows = [
        [f"{size:,}", *_cells(first), f"{_depth(size):,}", *_cells(deep), *_cells(filtered)]
        for size, (first, deep, filtered) in grown.items()
    ]
    page = ["queries", "items", "units"]
    columns = ["tasks", *page, "deep", *page, *[f"{each}, one status" for each in page]]
    return f"""Growth

Counted with moto, not timed: the items that queries read, and the capacity units that DynamoDB would charge for them by its
published rules. A page has 20 tasks; *deep* is a page read by a cursor to the task at that depth.

{table(columns, rows)}
{
        lines(
            "growth",
            "Items read for a page of 20",
            SIZES,
            {
                "first page": [first.items for first, *_ in grown.values()],
                "deep page, by cursor": [deep.items for _, deep, _ in grown.values()],
            },
            x_title="tasks in the table",
        )
    }
Filters except `assignee` and `status` are applied after reading, which ends after about 4 MB per page. Of {
        RARE:,} tasks,
one is assigned to ada, one has the label `rare`, and one has that word in its title. Every second task is due, at the end of
one of 50 days:

{table(["list", "tasks", "pages", *page], walked)}
`skip` reads the tasks that it skips, in several pages if necessary. Its maximum is therefore 10,000, and the Link header
continues by cursor. With {SIZES[-1]:,} tasks:

{table(["skip", *page], [[f"{skip:,}", *_cells(reads)] for skip, reads in skipped.items()])}
{
        lines(
            "skip",
            "Items read for a page of 20 after skipping",
            [max(1, skip) for skip in SKIPS],
            {"skip": [reads.items for reads in skipped.values()]},
            x_title="skip",
        )
    }
With more `StatusShards`, an uncached list queries more partitions, all at once, and reads less from each:

{table(["shards", "partitions", *page], spread)}
A burst of {
        READERS
    } concurrent readers, each with its own connections. Each reading of the table is three queries, one per
status:

{table(["", "queries of the table", "readings", "hits"], bursts)}"""


def _cells(reads: Reads) -> list[str]:
    return [str(reads.queries), f"{reads.items:,}", f"{reads.units:,.1f}"]


def _depth(size: int) -> int:
    return min(DEEP, size // 2)


def _grow() -> tuple[dict[int, list[Reads]], dict[int, Reads]]:
    """Read a first page, a deep one and a filtered deep one at each size, and skip at the last."""
    with mocked_aws():
        client: Any = boto3.client("dynamodb")
        shards = StatusShards()
        listing = TaskListing(client, shards=shards)
        grown: dict[int, list[Reads]] = {}
        count = 0
        for size in SIZES:
            say(f"{size:,} tasks")
            _fill(client, shards, count, size)
            count = size
            # The tasks were created a microsecond apart.
            place = Position(size - _depth(size), "0")
            queries = (
                TaskQuery(limit=LIMIT),
                TaskQuery(limit=LIMIT, after=place),
                TaskQuery(limit=LIMIT, statuses=(TaskStatus.PENDING,), after=place),
            )
            grown[size] = [_read(client, listing, query) for query in queries]
        say("skip")
        skipped = {skip: _read(client, listing, TaskQuery(limit=LIMIT, skip=skip)) for skip in SKIPS}
        return grown, skipped


def _walk_all(size: int) -> Iterator[list[str]]:
    """Sort and filter this many tasks, in the local stack's emulator, because moto reads all items for each query."""
    say(f"{size:,} tasks, filtered")
    shards = StatusShards()
    with backends() as endpoints:
        client = dynamodb(endpoints.aws)
        _fill(client, shards, 0, size)
        listing = TaskListing(client, "TasksTable", shards)
        for name, query in WALKS.items():
            if size > DEEP and name.endswith("all") and not query.assignee:
                continue  # they read every task: ten times as many cost ten times as much
            reads = _read(client, listing, query, to_the_end=name.endswith("all"))
            yield [name, f"{size:,}", str(reads.pages), *_cells(reads)]


def _spread(count: int) -> list[object]:
    say(f"{count} shards")
    with mocked_aws():
        client: Any = boto3.client("dynamodb")
        shards = StatusShards(count, count)
        listing = TaskListing(client, shards=shards)
        _fill(client, shards, 0, 2_000)
        return [count, 3 * count, *_cells(_read(client, listing, TaskQuery(limit=LIMIT)))]


def _read(client: Any, listing: TaskListing, query: TaskQuery, *, to_the_end: bool = False) -> Reads:
    """Follow the links until there are tasks, or to the end."""
    with _counted(client) as reads:
        for reads.pages, page in enumerate(walk(listing.page, query), start=1):
            if page and not to_the_end:
                break
    return reads


def _fill(client: Any, shards: StatusShards, start: int, end: int) -> None:
    statuses = list(TaskStatus)
    task = new_task("", description="A few words of what it is about", created_by=str(uuid.uuid4()))
    for first in range(start, end, 25):
        numbers = range(first, min(first + 25, end))
        items = [
            item_from_task(
                replace(
                    task,
                    id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
                    title=f"{'Rare' if number % RARE == 2 else 'Task'} {number}",
                    labels=("rare",) if number % RARE == 1 else (),
                    assignee="ada" if number % RARE == 0 else None,
                    due_at=None if number % 2 else 86_400 * (number % 100 // 2) + 86_399,
                    status=statuses[number % 3],
                    created_at=number + 1,
                    updated_at=number + 1,
                ),
                shards,
            )
            for number in numbers
        ]
        client.batch_write_item(
            RequestItems={"TasksTable": [{"PutRequest": {"Item": item}} for item in items]}
        )


def _burst(*, alone: bool = False, empty: bool = False) -> list[int]:
    """Let readers start at once; returns the counts of queries, of readings of the table and of cache hits.

    Args:
        alone: Whether each reads the table itself, without a cache that prevents a stampede.
        empty: Whether the cache has just restarted, instead of lacking only the page.
    """
    with backends() as endpoints, contextlib.ExitStack() as counting:
        url = f"{endpoints.redis}?timeout=5"
        server = redis.Redis.from_url(url.partition("?")[0])
        writer = TaskStore(
            PageCache("tasks", url, stack="growth").invalidate,
            client=dynamodb(endpoints.aws),
            table="TasksTable",
            shards=StatusShards(),
        )
        for number in range(30):
            writer.create(new_task(f"Task {number}"))
        if empty:
            server.flushall()
        readers, counts = [], []
        for _ in range(READERS):
            own = dynamodb(endpoints.aws)
            counts.append(counting.enter_context(_counted(own)))
            listing = TaskListing(own, "TasksTable", StatusShards())
            readers.append(TaskPages(listing, PageCache("tasks", "" if alone else url, stack="growth")))
        begin = threading.Barrier(READERS)

        def read(reader: TaskPages) -> CacheUse:
            begin.wait()
            return reader.render(TaskQuery(limit=LIMIT)).cache

        with ThreadPoolExecutor(READERS) as threads:
            hits = list(threads.map(read, readers)).count(CacheUse.HIT)
        server.close()
        return [sum(each.queries for each in counts), READERS - hits, hits]
