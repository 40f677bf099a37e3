"""Growth: what a page of the list reads of the table, however many tasks there are, and a burst of readers."""

from __future__ import annotations

import contextlib
import io
import math
import threading
import uuid
from dataclasses import replace
from typing import Any

import boto3
from moto import mock_aws

from shared.cached_tasks import CachedTasks
from shared.page_cache import PageCache
from shared.status_index import StatusShards
from shared.task_store import TaskStore
from shared.tasks import Position, Task, TaskQuery, TaskStatus
from tests.conftest import create_resources
from tests.performance.programs import backends, say
from tests.performance.report import lines, table

SIZES = (100, 1_000, 10_000, 100_000)
DEEP = 10_000
SKIPS = (0, 10, 100, 1_000, 10_000)
READERS = 50
_BLOCK = 4096
"""Bytes that half a capacity unit reads, eventually consistent. See
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""


class Reads:
    """What the queries from here on read."""

    def __init__(self, client: Any) -> None:
        self.queries = self.items = 0
        self.units = 0.0
        client.meta.events.register("after-call.dynamodb.Query", self._count)

    def _count(self, parsed: Any, **_: Any) -> None:
        self.queries += 1
        self.items += parsed["ScannedCount"]
        size = sum(_size(item) for item in parsed["Items"])
        self.units += max(1, math.ceil(size / _BLOCK)) * 0.5


def _size(item: dict[str, Any]) -> int:
    """The size of an item in bytes, as DynamoDB counts it.

    See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return 100 + sum(
        len(name.encode())
        + (len(str(value["S"]).encode()) if "S" in value else len(value.get("N", "1")) // 2 + 2)
        for name, value in item.items()
    )


def measure() -> str:
    with mock_aws():
        create_resources()
        client: Any = boto3.client("dynamodb")
        store = TaskStore(client, shards=StatusShards())
        reads = Reads(client)
        rows, first, deep = [], [], []
        count = 0
        for size in SIZES:
            say(f"{size:,} tasks")
            _fill(client, store, count, size)
            count = size
            depth = min(DEEP, size // 2)
            # The tasks were created a microsecond apart.
            place = Position(size - depth, "0")
            measured = [
                _read(store, reads, TaskQuery()),
                _read(store, reads, TaskQuery(after=place)),
                _read(store, reads, TaskQuery(status=TaskStatus.PENDING, after=place)),
            ]
            first.append(measured[0][1])
            deep.append(measured[1][1])
            rows.append(
                [f"{size:,}", *_cells(measured[0]), f"{depth:,}", *_cells(measured[1]), *_cells(measured[2])]
            )
        say("skip")
        skipped = [_read(store, reads, TaskQuery(skip=skip)) for skip in SKIPS]
        sharded = []
        for shards in (1, 4, 16):
            say(f"{shards} shards")
            spread = TaskStore(client, shards=StatusShards(shards, shards))
            _empty(client)
            _fill(client, spread, 0, 2_000)
            reads_of = _read(spread, reads, TaskQuery())
            sharded.append([shards, 3 * shards, *_cells(reads_of)])
    with contextlib.redirect_stdout(io.StringIO()):  # where metrics are printed
        bursts = [["each reads for itself", *_burst(alone=True)], ["as it is", *_burst(alone=False)]]
    page = ["queries", "items", "units"]
    columns = ["tasks", *page, "deep", *page, *[f"{each}, one status" for each in page]]
    return f"""## Growth

Counted, not timed, with moto: the items that queries read, and the capacity units that DynamoDB would charge for them by
its published rules. A page has 20 tasks; *deep* is the page that a cursor to the task at that depth leads to.

{table(columns, rows)}
{
        lines(
            "growth",
            "Items read for a page of 20",
            SIZES,
            {"first page": first, "deep page, by cursor": deep},
            x_title="tasks in the table",
        )
    }
`skip` reads what it skips, which is why it ends at 10,000 and the Link header leads on by cursor; with
{SIZES[-1]:,} tasks:

{table(["skip", *page], [[f"{skip:,}", *_cells(each)] for skip, each in zip(SKIPS, skipped, strict=True)])}
{
        lines(
            "skip",
            "Items read for a page of 20 after skipping",
            [max(1, skip) for skip in SKIPS],
            {"skip": [each[1] for each in skipped]},
            x_title="skip",
        )
    }
With `StatusShards`, a list that is not cached asks more partitions, all at once, for less of each:

{table(["shards", "partitions", *page], sharded)}
A burst of {READERS} readers who find no page in the cache, each with connections of its own:

{table(["", "queries of the table", "hits", "misses"], bursts)}"""


def _cells(measured: tuple[int, int, float]) -> list[str]:
    queries, items, units = measured
    return [str(queries), f"{items:,}", f"{units:,.1f}"]


def _read(store: TaskStore, reads: Reads, query: TaskQuery) -> tuple[int, int, float]:
    before = reads.queries, reads.items, reads.units
    page = store.list(query)
    assert page.tasks
    return reads.queries - before[0], reads.items - before[1], reads.units - before[2]


def _fill(client: Any, store: TaskStore, start: int, end: int) -> None:
    statuses = list(TaskStatus)
    task = Task("", "", "A few words of what it is about", TaskStatus.PENDING, 0, 0, str(uuid.uuid4()), 1)
    for first in range(start, end, 25):
        numbers = range(first, min(first + 25, end))
        items = [
            store._to_item(
                replace(
                    task,
                    id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
                    title=f"Task {number}",
                    status=statuses[number % 3],
                    created_at=number + 1,
                    updated_at=number + 1,
                )
            )
            for number in numbers
        ]
        client.batch_write_item(
            RequestItems={"TasksTable": [{"PutRequest": {"Item": item}} for item in items]}
        )


def _empty(client: Any) -> None:
    client.delete_table(TableName="TasksTable")
    from local.backends import Content
    from local.template import load_template
    from tests.local_stack import ROOT

    resources = load_template(ROOT / "template.yaml", {}).resources
    only = {"TasksTable": resources["TasksTable"]}
    Content(None, only).create({"tables": {}, "secrets": {}})


def _burst(*, alone: bool) -> list[int]:
    """Let readers begin at once; returns the queries they made, and their hits and misses."""
    with backends() as endpoints:

        def client() -> Any:
            return boto3.client(
                "dynamodb",
                endpoint_url=endpoints.aws,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )

        patient = f"{endpoints.redis}?socket_timeout=5"
        # The cache must have been there for a while, and know of a write.
        writer = CachedTasks(client(), "TasksTable", StatusShards(), PageCache(patient))
        for number in range(30):
            writer.create(
                title=f"Task {number}", description=None, status=TaskStatus.PENDING, created_by="ada"
            )
        assert writer._cache._redis is not None
        writer._cache._redis.call("DEL", "{tasks}:settling")
        readers, counts = [], []
        for _ in range(READERS):
            own = client()
            counts.append(Reads(own))
            readers.append(CachedTasks(own, "TasksTable", StatusShards(), PageCache(patient)))
        begin = threading.Barrier(READERS)
        uses: list[str] = []

        def read(reader: CachedTasks) -> None:
            begin.wait()
            if alone:
                reader.list(TaskQuery())
                uses.append("miss")
            else:
                uses.append(reader.render(TaskQuery()).cache.value)

        threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [sum(each.queries for each in counts), uses.count("hit"), uses.count("miss")]
