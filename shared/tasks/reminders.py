"""Reminders: an event on the bus for each task that has become due.

The watermark is the place in the due index up to which events were published. Because the index lags behind
the table, each run also reads the minutes before it again, for tasks that were not there yet; the memory says
which tasks of these minutes have their event.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from shared.deadline import remaining
from shared.errors import Unavailable
from shared.logs import logger
from shared.metrics import count
from shared.tasks.bus import EventBus
from shared.tasks.events import due_event
from shared.tasks.listing import TaskListing
from shared.tasks.position import Position, Sort
from shared.tasks.query import TaskQuery
from shared.tasks.reminder_progress import OVERLAP, Memory, Overtaken, Progress, Watermark, end_of
from shared.tasks.task import Task, TaskStatus

_PAGE = 100
"""Tasks that are read between two moves of the watermark."""
_AT_ONCE = 10
"""Events that are published between two looks at the time."""
_LEAST_TIME = 8.5
"""Seconds that are needed to publish some, and to store how far that came."""
_OPEN = tuple(status for status in TaskStatus if status is not TaskStatus.COMPLETED)


class _OutOfTime(Exception):
    """The deadline has passed."""


class Reminders:
    """Publishes an event for each task that has become due.

    When a run dies, or two run at once, an event may be published twice, with the same id.
    """

    def __init__(
        self,
        listing: TaskListing | None = None,
        bus: EventBus | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._listing = listing or TaskListing()
        self._bus = bus or EventBus()
        self._progress = progress or Progress()

    def send(self) -> None:
        """Publish the events of tasks that have become due since the last run.

        Completed tasks have none, nor due dates that were past when they were set. What there is no time for
        is left to the next run.

        Raises:
            Unavailable: the bus did not take all of it; the next run goes on there.
            BotoCoreError, ClientError: the index, or how far this has come, cannot be read or written.
        """
        now = int(time.time())
        with suppress(Overtaken):  # the other run continues
            self._send(now, self._progress.begin(now), self._progress.recall(now))

    def _send(self, now: int, mark: Watermark, memory: Memory) -> None:
        began, end, before = mark.until, end_of(now), memory.to_item()
        try:
            for tasks, reached in self._pages(began, end):
                self._publish(tasks, memory)
                if reached < end:
                    mark = self._progress.move(mark, Watermark(reached, mark.looked_back_at))
            # Tasks that the index lacked when it was last read.
            start = max(mark.looked_back_at - OVERLAP, memory.since)
            for tasks, _ in self._pages(end_of(start), began):
                self._publish(tasks, memory)
            mark = self._progress.move(mark, Watermark(end, now))
        except _OutOfTime:
            if mark.until.at < now - OVERLAP:
                count("RemindersLate")
        finally:
            memory.forget(min(mark.looked_back_at - OVERLAP, mark.until.at - 1))
            if memory.to_item() != before:
                self._progress.remember(memory)

    def _pages(self, after: Position, until: Position) -> Iterator[tuple[list[Task], Position]]:
        """Yield open tasks of a part of the due index, each page with where it ends.

        Raises:
            _OutOfTime: there is no time for another page.
        """
        query = TaskQuery(limit=_PAGE, sort=Sort.DUE_AT, statuses=_OPEN, due_before=until.at + 1, after=after)
        while after < until:
            if remaining() < _LEAST_TIME:
                raise _OutOfTime
            page = self._listing.page(replace(query, after=after))
            after = min(page.next.after, until) if page.next else until
            yield [task for task in page.tasks if query.position(task) <= until], after

    def _publish(self, tasks: Iterable[Task], memory: Memory) -> None:
        """Publish the events of tasks that were not published yet.

        Raises:
            _OutOfTime: there is no time for all of them.
            Unavailable: the bus did not take all events.
        """
        due = [(Position(task.due_at, task.id), task) for task in tasks if task.due_at and task.reminds]
        due = [each for each in due if not memory.has(each[0])]
        for start in range(0, len(due), _AT_ONCE):
            if remaining() < _LEAST_TIME:
                raise _OutOfTime
            some = due[start : start + _AT_ONCE]
            events = [due_event(task) for _, task in some]
            published = self._bus.publish(events)
            for (position, _), event in zip(some[:published], events, strict=False):
                memory.add(position)
                logger.info("event published", type=event["type"], event_id=event["id"])
            if published < len(some):
                raise Unavailable
