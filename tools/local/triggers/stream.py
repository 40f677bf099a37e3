"""Polls a table's stream. A failing batch blocks the following ones."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.log_entries import DeliveryLog
from tools.local.triggers.mappings import EventSourceMapping
from tools.local.triggers.poller import PAUSE, Event, Invoke, Poller

if TYPE_CHECKING:
    from tools.local.backends.sources import Sources  # imports the emulator

_LONGEST_PAUSE = 5.0
"""Seconds between the tries of a batch that fails again and again."""


class StreamPoller(Poller):
    """Polls a table's stream, which has one shard here, for one function.

    Where it is in the stream is kept in a checkpoint, so that it goes on there after a restart.
    """

    def __init__(
        self, mapping: EventSourceMapping, sources: Sources, invoke: Invoke, log: DeliveryLog
    ) -> None:
        super().__init__(mapping, sources, invoke, log)
        self._done = sources.checkpoint(mapping.source, mapping.function)
        """Sequence number of the last record that was delivered."""
        self._read = self._done
        """Sequence number of the last record that was read."""
        if self._done is None and mapping.starts_at_latest:
            self._save(sources.newest(mapping.source))

    def _receive(self, number: int, wait: float) -> list[Event]:
        records = self._sources.records(self.mapping.source, self._read, number, wait)
        if records:
            self._read = _sequence_number(records[-1])
        return records

    def _deliver(self, records: list[Event]) -> None:
        reached = _sequence_number(records[-1])
        try:
            if self._deliver_all([record for record in records if self.mapping.matches(record)]):
                self._save(reached)
        finally:
            self._read = self._done

    def _save(self, number: str) -> None:
        source, function = self.mapping.source, self.mapping.function
        self._done = self._read = number
        self._until_saved(lambda: self._sources.advance(source, function, number))

    def _deliver_all(self, records: list[Event]) -> bool:
        """Call the function until all records are done with; returns False when the stack stops before."""
        batches = [(records, 0)]
        pause = PAUSE
        while batches:
            batch, tries = batches.pop(0)
            batch = self._give_up_old(batch)
            if not batch:
                continue
            ids = [_sequence_number(record) for record in batch]
            failed = self._invoke(batch, ids)
            first = min(map(ids.index, failed), default=len(ids))
            if first and (failed or batches):
                self._save(ids[first - 1])  # a restart must not repeat these
            if not failed:
                continue
            rest = batch[first:]
            if self.mapping.bisects and len(rest) > 1:
                middle = len(rest) // 2
                batches[:0] = [(rest[:middle], tries), (rest[middle:], tries)]
            elif tries >= self.mapping.retries:
                self._give_up(rest, "RetryAttemptsExhausted")
                self._save(ids[-1])
            else:
                batches.insert(0, (rest, tries + 1))
            if self._stopping.wait(pause):
                return not batches
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    def _give_up_old(self, batch: list[Event]) -> list[Event]:
        oldest = time.time() - self.mapping.record_age
        young = [record for record in batch if record["dynamodb"]["ApproximateCreationDateTime"] >= oldest]
        if old := [record for record in batch if record not in young]:
            self._give_up(old, "MaximumRecordAgeExceeded")
        return young

    def _give_up(self, records: list[Event], condition: str) -> None:
        """Keep the records at the destination, as Lambda does.

        See https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        if self.mapping.failures is None:
            return
        for record in records:  # one by one, because an item takes no more
            self._sources.keep(self.mapping.failures, json.dumps(self._failure(record, condition)))

    def _failure(self, record: Event, condition: str) -> Event:
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.mapping.function}",
                "condition": condition,
            },
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            "DDBStreamBatchInfo": {
                "shardId": "shardId-00000000000000000000-00000000",
                "startSequenceNumber": _sequence_number(record),
                "endSequenceNumber": _sequence_number(record),
                "batchSize": 1,
                "streamArn": record["eventSourceARN"],
            },
            "payload": json.dumps({"Records": [record]}, ensure_ascii=False),
        }


def _sequence_number(record: Event) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
