"""What pollers of queues and of streams have in common; it knows neither."""

from __future__ import annotations

import base64
import json
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tools.local.log_entries import DeliveryLog, DeliveryLogEntry
from tools.local.triggers.mappings import EventSourceMapping

POLL_INTERVAL = 0.1
"""Seconds between two polls of a source that had nothing,"""
IDLE_INTERVAL = 2.5
"""and when it has had nothing for a while."""

Event = dict[str, Any]


class Invoke(Protocol):
    """Calls a function."""

    def __call__(self, function: str, event: Event) -> Any:
        """Call the function with this logical id; returns its answer.

        Raises:
            InvocationFailed: it raised an error, ran out of time or died.
        """


class InvocationFailed(Exception):
    """A function answered with an error."""


class Poller(ABC):
    """A thread that polls one source for one function.

    What is not delivered when it stops stays where it is.
    """

    def __init__(self, mapping: EventSourceMapping, invoke: Invoke, log: DeliveryLog) -> None:
        self.mapping = mapping
        self._call = invoke
        self._log = log
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._working = threading.Lock()
        """Held from when something was received until it is acknowledged."""
        self._thread = threading.Thread(target=self._run, name=f"poll {mapping.source}", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def wake(self) -> None:
        """Poll soon, because there may be something."""
        self._woken.set()

    def stop(self, deadline: float) -> None:
        """Begin nothing more, and let what was begun end, until a deadline in the monotonic clock's time."""
        self._stopping.set()
        self._woken.set()
        self._working.acquire(timeout=max(0.01, deadline - time.monotonic()))

    def _run(self) -> None:
        pause = POLL_INTERVAL
        while not self._stopping.is_set():
            try:
                busy = self.poll()
            except (BotoCoreError, ClientError):  # such as a queue that is not there for a while
                busy = False
            except Exception:
                traceback.print_exc()  # and go on: a poller that ended would end delivery for good
                busy = False
            if busy:
                pause = POLL_INTERVAL
            elif self._woken.wait(pause):
                self._woken.clear()
                pause = POLL_INTERVAL
                self._stopping.wait(POLL_INTERVAL)  # however often it is woken
            else:
                pause = min(2 * pause, IDLE_INTERVAL)

    @abstractmethod
    def poll(self) -> bool:
        """Deliver a batch; returns whether there may be more at once."""

    def _fill(self, batch: list[Event], receive: Callable[[int], list[Event]]) -> list[Event]:
        """Receive more until the batch is full or its window has passed."""
        deadline = time.monotonic() + self.mapping.window
        while batch and (missing := self.mapping.batch_size - len(batch)) > 0:
            if more := receive(missing):
                batch = batch + more
            elif self._stopping.wait(min(POLL_INTERVAL, max(0, deadline - time.monotonic()))):
                break
            if time.monotonic() >= deadline:
                break
        return batch

    def _invoke(self, records: Sequence[Event], ids: Sequence[str]) -> set[str]:
        """Call the function with a batch; returns which of its ids failed.

        See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        started = time.perf_counter()
        try:
            failed = self._failed(self._call(self.mapping.function, {"Records": list(records)}), ids)
        except InvocationFailed:
            failed = set(ids)
        self._log(
            DeliveryLogEntry(
                function=self.mapping.function,
                source=self.mapping.source,
                size=len(ids),
                failed=len(failed),
                seconds=time.perf_counter() - started,
            )
        )
        return failed

    def _failed(self, answer: Any, ids: Iterable[str]) -> set[str]:
        """Read a partial batch response; one that makes no sense means that all failed, as on AWS."""
        if not self.mapping.reports_failures or not answer:
            return set()
        try:
            failed = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures") or []}
        except (AttributeError, KeyError, TypeError):
            return set(ids)
        return failed if failed <= set(ids) else set(ids)


def as_lambda_writes(value: object) -> Any:
    """Make JSON of what boto3 parsed: times are seconds, bytes are in base 64."""

    def default(value: datetime | bytes) -> float | str:
        return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()

    return json.loads(json.dumps(value, default=default))
