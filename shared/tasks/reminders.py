"""Reminders: an event on the bus for each task that has become due.

A watermark tells up to where in the due index this is done. Because the index lags behind the table, each run
also looks at the minutes before the watermark, for tasks that were not there yet.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import aws
from shared.deadline import remaining
from shared.errors import Unavailable
from shared.tasks.bus import EventBus
from shared.tasks.events import due_event
from shared.tasks.indexes import due_key
from shared.tasks.listing import TaskListing
from shared.tasks.order import Order
from shared.tasks.query import TaskQuery
from shared.tasks.task import MICROSECONDS, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OVERLAP = 300
"""Seconds before the watermark in which tasks may have been missed."""
_PAGE = 500
"""Tasks that are read between two moves of the watermark."""
_PAGE_TIME = 8
"""Seconds that a page may take. What there is no time for is left to the next run."""
_MAX_TOLD = 4_000
"""Events that the watermark remembers, which is half of what an item takes. Where more tasks are due within
minutes, one that is changed just then may be told twice, by events of the same id."""
_KEY: dict[str, Any] = {"id": {"S": "remind"}}
_OPEN = tuple(status for status in TaskStatus if status is not TaskStatus.COMPLETED)


class _Watermark(NamedTuple):
    started_at: int
    """Unix time in seconds. What was due by then is not told."""
    until: str
    """Sort key of the due index up to which tasks were told."""
    told: tuple[str, ...] = ()
    """Ids of the last events, in order: those of the overlap."""

    @property
    def next_start(self) -> int:
        """From when on the next run looks for what is due: a Unix time in seconds."""
        return max(self.started_at, int(self.until[:12]) - _OVERLAP)


class Reminders:
    """Tells the event bus of tasks that have become due. Several runs at once do no harm."""

    def __init__(
        self,
        listing: TaskListing | None = None,
        bus: EventBus | None = None,
        client: DynamoDBClient | None = None,
        table: str | None = None,
    ) -> None:
        """Prepare; the watermark is an item of a table, `NOTIFIED_TABLE` by default."""
        self._listing = listing or TaskListing()
        self._bus = bus or EventBus()
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["NOTIFIED_TABLE"]

    def send(self) -> int:
        """Tell of what has become due since the last run; returns of how many tasks.

        Nothing is told of completed tasks, nor of due dates that were past when they were set. The very first
        run tells nothing.

        Raises:
            Unavailable: the bus did not take all of it; the next run goes on there.
            BotoCoreError, ClientError: the index or the watermark cannot be read or written.
        """
        now = int(time.time())
        stored = self._read()
        if stored is None:
            self._replace(None, _Watermark(now, _end_of(now)))
            return 0
        # A clock that was ahead must not silence reminders until the others are there.
        begun = stored._replace(until=min(stored.until, _end_of(now)))
        query = TaskQuery(
            limit=_PAGE, order=Order.DUE_AT, statuses=_OPEN, due_after=begun.next_start, due_before=now + 1
        )
        sent = 0
        while remaining() > _PAGE_TIME:
            page = self._listing.page(query)
            events = [
                due_event(task)
                for task in page.tasks
                if task.reminds
                # What the index had was told. Only a write of these minutes can have come to it later.
                and (
                    due_key(query.position(task)) > begun.until
                    or task.updated_at >= begun.next_start * MICROSECONDS
                )
            ]
            events = [event for event in events if event["id"] not in stored.told]
            published = self._bus.publish(events)
            sent += published
            reached = stored._replace(told=(*stored.told, *(event["id"] for event in events[:published])))
            if published == len(events):
                end = due_key(page.next.after) if page.next else _end_of(now)
                reached = reached._replace(until=max(end, begun.until))
            if not self._replace(stored, reached):
                return sent  # another run is ahead, and goes on
            if published < len(events):
                raise Unavailable
            if page.next is None:
                return sent
            stored, query = reached, replace(query, after=page.next.after)
        return sent

    def _read(self) -> _Watermark | None:
        found = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True)
        if "Item" not in found:
            return None
        item = found["Item"]
        told = tuple(each["S"] for each in item["told"]["L"])
        return _Watermark(int(item["started_at"]["N"]), item["until"]["S"], told)

    def _replace(self, stored: _Watermark | None, reached: _Watermark) -> bool:
        """Store a watermark, unless another run has meanwhile; returns whether it is stored."""
        kept = [each for each in reached.told if _due_at(each) >= reached.next_start][-_MAX_TOLD:]
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_KEY,
                    "started_at": {"N": str(reached.started_at)},
                    "until": {"S": reached.until},
                    "told": {"L": [{"S": each} for each in kept]},
                },
                ConditionExpression="attribute_not_exists(id) OR #until = :until",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":until": {"S": stored.until if stored else ""}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _end_of(second: int) -> str:
    """Sort key after all tasks that are due in a second."""
    return f"{second:012}~"


def _due_at(event_id: str) -> int:
    return int(event_id.rpartition(":")[2])
