"""Polls a table's stream. A batch that fails holds up what comes after it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.backends.own_table import Checkpoint
from tools.local.log_entries import DeliveryLog
from tools.local.triggers.mappings import EventSourceMapping
from tools.local.triggers.poller import POLL_INTERVAL, Event, Invoke, Poller, as_lambda_writes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient

_LONGEST_PAUSE = 5.0
"""Seconds between the tries of a batch that fails again and again."""
_MOST_RECORDS = 1_000
"""What a stream gives at a time."""
_BEFORE_ALL = "0"
"""A sequence number before that of any record."""


class StreamPoller(Poller):
    """Polls a table's stream, which has one shard here, for one function.

    Where it is in the stream is kept in a checkpoint, so that it goes on there after a restart.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        invoke: Invoke,
        log: DeliveryLog,
        streams: DynamoDBStreamsClient,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
    ) -> None:
        super().__init__(mapping, invoke, log)
        self._streams = streams
        self._sqs = sqs
        self._stream = dynamodb.describe_table(TableName=mapping.source)["Table"]["LatestStreamArn"]
        description = streams.describe_stream(StreamArn=self._stream)["StreamDescription"]
        self._shard = description["Shards"][0]["ShardId"]
        self._checkpoint = Checkpoint(dynamodb, mapping.source, mapping.function)
        self._iterator: str | None = None
        """Where to read on; None is after what is done with."""
        self._done = self._checkpoint.load()
        """The sequence number of the last record that is done with."""
        self._read_until = self._done
        if self._done is None and mapping.starts_at_latest:
            while self._read(_MOST_RECORDS):
                pass
            self._save_position()

    def poll(self) -> bool:
        """Deliver a batch; returns whether the stream went on."""
        with self._working:
            if self._stopping.is_set():
                return False
            before, delivered = self._done, False
            try:
                records = self._fill(self._read_wanted(self.mapping.batch_size), self._read_wanted)
                delivered = self._deliver(records)
            finally:
                if delivered:
                    self._save_position()
                else:
                    self._iterator, self._read_until = None, self._done
            return self._done != before

    def _read_wanted(self, number: int) -> list[Event]:
        return [record for record in self._read(number) if self.mapping.matches(record)]

    def _read(self, number: int) -> list[Event]:
        """Read on."""
        exceptions = self._streams.exceptions
        try:
            iterator = self._iterator or self._iterator_after(self._done)
            answer = self._streams.get_records(ShardIterator=iterator, Limit=number)
        except (exceptions.ExpiredIteratorException, exceptions.TrimmedDataAccessException):
            self._iterator = None
            return []
        self._iterator = answer.get("NextShardIterator")
        if answer["Records"]:
            self._read_until = answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        return [{**record, "eventSourceARN": self._stream} for record in as_lambda_writes(answer["Records"])]

    def _iterator_after(self, sequence_number: str | None) -> str:
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if sequence_number not in {None, _BEFORE_ALL}:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence_number}
        place |= {"StreamArn": self._stream, "ShardId": self._shard}
        try:
            answer = self._streams.get_shard_iterator(**place)
        except self._streams.exceptions.TrimmedDataAccessException:  # all that is left comes after it
            del place["SequenceNumber"]
            answer = self._streams.get_shard_iterator(**{**place, "ShardIteratorType": "TRIM_HORIZON"})
        return answer["ShardIterator"]

    def _save_position(self) -> None:
        reached = self._read_until or _BEFORE_ALL
        if reached != self._done:
            self._save(reached)

    def _save(self, reached: str) -> None:
        self._checkpoint.save(reached)
        self._done = reached

    def _deliver(self, records: list[Event]) -> bool:
        """Call the function until all records are done with; returns False when the stack stops before."""
        batches = [(records, 0)]
        pause = POLL_INTERVAL
        while batches:
            batch, tries = batches.pop(0)
            batch = self._give_up_old(batch)
            if not batch:
                continue
            ids = [_sequence_number(record) for record in batch]
            failed = self._invoke(batch, ids)
            first = min(map(ids.index, failed), default=len(ids))
            if first and (failed or batches):
                self._save(ids[first - 1])  # or a restart before the rest is done with would repeat these
            if not failed:
                continue
            rest = batch[first:]
            if self.mapping.bisects and len(rest) > 1:
                middle = len(rest) // 2
                batches[:0] = [(rest[:middle], tries), (rest[middle:], tries)]
            elif tries >= self.mapping.retries:
                self._give_up(rest, "RetryAttemptsExhausted")
            else:
                batches.insert(0, (rest, tries + 1))
            if self._stopping.wait(pause):
                return not batches
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    def _give_up_old(self, batch: list[Event]) -> list[Event]:
        oldest = time.time() - self.mapping.record_age
        young = [record for record in batch if record["dynamodb"]["ApproximateCreationDateTime"] >= oldest]
        if old := batch[: len(batch) - len(young)]:
            self._give_up(old, "MaximumRecordAgeExceeded")
        return young

    def _give_up(self, records: list[Event], condition: str) -> None:
        """Tell the destination which records they are, as Lambda does.

        See https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        if self.mapping.failures is None:
            return
        document = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.mapping.function}",
                "condition": condition,
            },
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            "DDBStreamBatchInfo": {
                "shardId": self._shard,
                "startSequenceNumber": _sequence_number(records[0]),
                "endSequenceNumber": _sequence_number(records[-1]),
                "batchSize": len(records),
                "streamArn": self._stream,
            },
        }
        self._sqs.send_message(QueueUrl=self.mapping.failures, MessageBody=json.dumps(document))


def _sequence_number(record: Event) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
