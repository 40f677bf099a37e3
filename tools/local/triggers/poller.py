"""The base class of the pollers of queues and streams."""

from __future__ import annotations

import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tools.local.backends.changes import NotSaved
from tools.local.log_entries import DeliveryLog, DeliveryLogEntry
from tools.local.triggers.mappings import EventSourceMapping

if TYPE_CHECKING:
    from tools.local.backends.sources import Sources  # imports the emulator

PAUSE = 0.1
"""Seconds after a batch that was not full, in which the next one fills; and between tries."""
WAIT = 5.0
"""Seconds for which a poll waits for something."""
STOP_TIMEOUT = 2
"""Seconds for a batch to end when the stack stops."""

_SAVE_AGAIN = 2.0
"""Seconds between two attempts to save."""

Event = dict[str, Any]


class Invoke(Protocol):
    """Calls a function."""

    def __call__(self, function: str, event: Event) -> Any:
        """Call the function with this logical id; returns its answer.

        Raises:
            InvocationFailed: it raised an error, ran out of time or died.
        """


class InvocationFailed(Exception):
    """A function returned an error."""


class Poller(ABC):
    """A thread that polls one source for one function.

    What is not delivered when it stops stays where it is.
    """

    def __init__(
        self, mapping: EventSourceMapping, sources: Sources, invoke: Invoke, log: DeliveryLog
    ) -> None:
        self.mapping = mapping
        self._sources = sources
        self._call = invoke
        self._log = log
        self._stopping = threading.Event()
        self._working = threading.Lock()
        """Held from when something was received until it is acknowledged."""
        self._thread = threading.Thread(target=self._run, name=f"poll {mapping.source}", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self, deadline: float) -> None:
        """Start no more calls, and let running ones end until a deadline of the monotonic clock."""
        self._stopping.set()
        self._working.acquire(timeout=max(0.01, deadline - time.monotonic()))

    def poll(self, wait: float = 0) -> bool:
        """Deliver a batch; returns whether it was full. Waits so many seconds for something to deliver."""
        first = self._receive(self.mapping.batch_size, wait)
        with self._working:
            if self._stopping.is_set() or not first:
                return False
            batch = self._fill(first)
            if self._stopping.is_set():
                return False
            self._deliver(batch)
            return len(batch) >= self.mapping.batch_size

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_full = False
            try:
                is_full = self.poll(WAIT)
            except (EOFError, OSError, NotSaved):  # the backends have ended, or the disk is full
                self._stopping.wait(_SAVE_AGAIN)
            except Exception:
                traceback.print_exc()  # an ended poller would never deliver again
                self._stopping.wait(1)
            if not is_full:
                self._stopping.wait(PAUSE)

    def _until_saved(self, acknowledge: Callable[[], None]) -> None:
        """Acknowledge delivered messages; retry while the disk is full, or they would be delivered again."""
        while True:
            try:
                return acknowledge()
            except NotSaved:
                if self._stopping.wait(_SAVE_AGAIN):
                    return None

    @abstractmethod
    def _receive(self, number: int, wait: float) -> list[Event]:
        """Receive up to so many records; waits so many seconds for the first."""

    @abstractmethod
    def _deliver(self, records: list[Event]) -> None:
        """Call the function with the matching messages, and acknowledge the handled ones."""

    def _fill(self, batch: list[Event]) -> list[Event]:
        """Receive more until the batch is full or its window has passed."""
        deadline = time.monotonic() + self.mapping.window
        while (missing := self.mapping.batch_size - len(batch)) > 0 and not self._stopping.is_set():
            left = deadline - time.monotonic()
            more = self._receive(missing, max(0, min(left, WAIT)))
            batch = batch + more
            if left <= 0 and not more:
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
