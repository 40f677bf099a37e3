"""The stack's event bus."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
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
"""By which rules find the events, whatever the stack's name."""
# What one call may carry. See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
_MAX_ENTRIES = 10
_MAX_BYTES = 262_144
# JSON needs no escapes for these, but SQS refuses them, and a rule may lead there. See
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_ESCAPES = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


class EventBus:
    """Takes events of tasks, and passes them on to whoever has a rule for them."""

    def __init__(self, client: EventBridgeClient | None = None, name: str | None = None) -> None:
        self._client = client or aws.client("events")
        self._name = name or os.environ["EVENT_BUS"]

    def publish(self, events: Sequence[TaskEventDocument]) -> int:
        """Put events on the bus, in order, as far as that succeeds.

        Returns:
            How many of them, from the first on, are on the bus.
        """
        published = 0
        for batch in _batches([self._entry(event) for event in events]):
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
        detail = json.dumps(event, ensure_ascii=False).translate(_ESCAPES)
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event["type"],
            "Detail": detail,
        }


def _batches(entries: Sequence[PutEventsRequestEntryTypeDef]) -> Iterator[list[PutEventsRequestEntryTypeDef]]:
    """Group entries, in order, so that each group fits one call."""
    batch: list[PutEventsRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        own = sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
        if batch and (len(batch) == _MAX_ENTRIES or size + own > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += own
    if batch:
        yield batch
