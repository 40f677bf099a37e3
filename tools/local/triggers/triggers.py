"""All event source mappings of the stack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tools.local.log_entries import DeliveryLog
from tools.local.runtime.warm import Functions
from tools.local.triggers.mappings import EventSourceMapping
from tools.local.triggers.poller import STOP_TIMEOUT, Event, InvocationFailed, Invoke, Poller
from tools.local.triggers.queue import QueuePoller
from tools.local.triggers.stream import StreamPoller

if TYPE_CHECKING:
    from tools.local.backends.sources import Sources  # imports the emulator


class Triggers:
    """Polls the queues and streams that call functions."""

    def __init__(
        self,
        queues: Iterable[EventSourceMapping],
        streams: Iterable[EventSourceMapping],
        invoke: Invoke,
        sources: Sources,
        log: DeliveryLog,
    ) -> None:
        """Start to poll."""
        self._pollers: list[Poller] = [
            *(StreamPoller(each, sources, invoke, log) for each in streams),
            *(QueuePoller(each, sources, invoke, log) for each in queues for _ in range(each.concurrency)),
        ]
        for poller in self._pollers:
            poller.start()

    def stop(self) -> None:
        """Start no more calls; pending messages stay in streams and queues."""
        deadline = time.monotonic() + STOP_TIMEOUT
        for poller in self._pollers:
            poller.stop(deadline)


def invoker(functions: Functions) -> Invoke:
    """Return a callable that invokes functions of the local stack."""

    def invoke(function: str, event: Event) -> Any:
        result = functions.invoke(function, json.dumps(event).encode())
        if result.failed:
            raise InvocationFailed(result.payload.decode())
        try:
            return json.loads(result.payload)
        except (ValueError, RecursionError) as error:  # invalid, or nested too deeply
            raise InvocationFailed(f"The answer cannot be read: {error}") from error

    return invoke
