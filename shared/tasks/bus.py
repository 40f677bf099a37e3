"""The stack's event bus."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws
from shared.errors import Unavailable
from shared.logs import logger
from shared.tasks.events import TaskEventDocument

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "task-api"
"""Source of the events, in every stack; rules match it."""


class EventBus:
    """Publishes events of tasks on the stack's event bus."""

    def __init__(self, client: EventBridgeClient | None = None, name: str | None = None) -> None:
        self._client = client or aws.client("events")
        self._name = name or os.environ["EVENT_BUS"]

    def publish(self, events: Sequence[TaskEventDocument]) -> int:
        """Put events on the bus, in order, as far as that succeeds.

        Returns:
            How many of them, from the first on, are on the bus.
        """
        published = 0
        entries = [self._entry(event) for event in events]
        for batch in aws.batches(entries, lambda entry: len(entry["Detail"].encode())):
            try:
                reply = self._client.put_events(Entries=batch)
            except (Unavailable, BotoCoreError, ClientError):
                logger.exception("the event bus cannot be reached")
                return published
            for result in reply["Entries"]:
                if "ErrorCode" in result:
                    logger.error("the event bus refused an event", result=result)
                    return published
                published += 1
        return published

    def _entry(self, event: TaskEventDocument) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event["type"],
            "Detail": aws.to_message(event),
        }
