"""Polls queues and streams and calls functions with what is in them, as Lambda's event source mappings do."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.utils.stream_writer import StreamWriter

from local.backends import ACCOUNT, REGION
from local.event_sources import EventSourceMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient

POLL_INTERVAL = 0.25
"""Seconds; Lambda's base rate for streams is four times a second."""
_LONGEST_PAUSE = 5.0
"""Seconds between the tries of a batch that fails again and again."""
_STOP_TIMEOUT = 15
_MAX_RECEIVED = 10
"""What SQS gives at a time."""

Event = dict[str, Any]


@dataclass(frozen=True)
class DeliveryLogEntry:
    """A batch that a function was called with."""

    function: str
    source: str
    size: int
    failed: int
    """How many of them failed."""
    seconds: float


Log = Callable[[DeliveryLogEntry], None]


class Invoke(Protocol):
    """Calls a function."""

    def __call__(self, function: str, event: Event) -> Any:
        """Call the function with this logical id; returns its answer.

        Raises:
            InvocationFailed: it raised an error, ran out of time or died.
        """


class InvocationFailed(Exception):
    """A function answered with an error."""


def invoker(runner: LocalLambdaRunner) -> Invoke:
    """Make what calls functions of the local stack."""

    def invoke(function: str, event: Event) -> Any:
        answer = io.StringIO()
        runner.invoke(function, json.dumps(event), stdout=StreamWriter(answer))
        result = json.loads(answer.getvalue())
        if isinstance(result, dict) and "errorType" in result:
            raise InvocationFailed(result["errorMessage"])
        return result

    return invoke


class _Poller(ABC):
    """A thread that polls one source for one function."""

    def __init__(self, mapping: EventSourceMapping, invoke: Invoke, log: Log) -> None:
        self._mapping = mapping
        self._call = invoke
        self._log = log
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poll {mapping.source}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is there, as far as that succeeds at once, and end."""
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT)

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                busy = self._poll()
            except (BotoCoreError, ClientError):  # such as a queue that is not there for a while
                busy = False
            if not busy:
                if stopping:
                    return
                self._stopping.wait(POLL_INTERVAL)

    @abstractmethod
    def _poll(self) -> bool:
        """Deliver a batch; returns whether there may be more at once."""

    def _fill(self, receive: Callable[[int], list[Event]]) -> list[Event]:
        """Receive until the batch is full or its window has passed."""
        batch = receive(self._mapping.batch_size)
        deadline = time.monotonic() + self._mapping.window
        while batch and (missing := self._mapping.batch_size - len(batch)) > 0:
            if more := receive(missing):
                batch += more
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
            failed = self._failed(self._call(self._mapping.function, {"Records": list(records)}), ids)
        except InvocationFailed:
            failed = set(ids)
        self._log(
            DeliveryLogEntry(
                function=self._mapping.function,
                source=self._mapping.source,
                size=len(ids),
                failed=len(failed),
                seconds=time.perf_counter() - started,
            )
        )
        return failed

    def _failed(self, answer: Any, ids: Iterable[str]) -> set[str]:
        """Read a partial batch response; one that makes no sense means that all failed, as on AWS."""
        if not self._mapping.reports_failures or not answer:
            return set()
        try:
            failed = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures") or []}
        except (AttributeError, KeyError, TypeError):
            return set(ids)
        return failed if failed <= set(ids) else set(ids)


class QueuePoller(_Poller):
    """Polls a queue. What failed stays in it, unseen until its visibility timeout has passed."""

    def __init__(self, mapping: EventSourceMapping, invoke: Invoke, log: Log, sqs: SQSClient) -> None:
        super().__init__(mapping, invoke, log)
        self._sqs = sqs

    def _poll(self) -> bool:
        records = self._fill(self._receive)
        wanted = [record for record in records if self._mapping.matches(_with_parsed_body(record))]
        failed: set[str] = set()
        if wanted:
            failed = self._invoke(wanted, [record["messageId"] for record in wanted])
        # A message that no filter wants is removed too.
        self._delete(record for record in records if record["messageId"] not in failed)
        return bool(records)

    def _receive(self, number: int) -> list[Event]:
        answer = self._sqs.receive_message(
            QueueUrl=self._mapping.source,
            MaxNumberOfMessages=min(number, _MAX_RECEIVED),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [_to_sqs_record(message, self._mapping.source) for message in answer.get("Messages", [])]

    def _delete(self, records: Iterable[Event]) -> None:
        for record in records:
            self._sqs.delete_message(QueueUrl=self._mapping.source, ReceiptHandle=record["receiptHandle"])


class StreamPoller(_Poller):
    """Polls a table's stream, which has one shard here. A batch that fails holds up what comes after it."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        invoke: Invoke,
        log: Log,
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
        self._position: str | None = None
        """The sequence number of the last record that is done with."""
        if mapping.starts_at_latest:
            while self._read(1000):
                pass

    def _poll(self) -> bool:
        before = self._position
        records = self._fill(self._read)
        if records and not self._deliver(records):
            self._position = before
            return False
        return self._position != before

    def _read(self, number: int) -> list[Event]:
        """Read on from the position; returns the records that the function wants."""
        # A new iterator each time, so that none expires.
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._position}
        iterator = self._streams.get_shard_iterator(StreamArn=self._stream, ShardId=self._shard, **place)
        answer = self._streams.get_records(ShardIterator=iterator["ShardIterator"], Limit=number)
        if not answer["Records"]:
            return []
        self._position = answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        records = _as_lambda_writes(answer["Records"])
        return [
            {**record, "eventSourceARN": self._stream} for record in records if self._mapping.matches(record)
        ]

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
            if not failed:
                continue
            if self._stopping.is_set():
                return False
            rest = batch[min(map(ids.index, failed)) :]
            if self._mapping.bisects and len(rest) > 1:
                middle = len(rest) // 2
                batches[:0] = [(rest[:middle], tries), (rest[middle:], tries)]
            elif tries >= self._mapping.retries:
                self._give_up(rest, "RetryAttemptsExhausted")
            else:
                batches.insert(0, (rest, tries + 1))
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    def _give_up_old(self, batch: list[Event]) -> list[Event]:
        oldest = time.time() - self._mapping.record_age
        young = [record for record in batch if record["dynamodb"]["ApproximateCreationDateTime"] >= oldest]
        if old := batch[: len(batch) - len(young)]:
            self._give_up(old, "MaximumRecordAgeExceeded")
        return young

    def _give_up(self, records: list[Event], condition: str) -> None:
        """Tell the destination which records they are, as Lambda does.

        See https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        if self._mapping.failures is None:
            return
        document = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self._mapping.function}",
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
        self._sqs.send_message(QueueUrl=self._mapping.failures, MessageBody=json.dumps(document))


class Triggers:
    """All event source mappings of the stack."""

    def __init__(
        self,
        queues: Iterable[EventSourceMapping],
        streams: Iterable[EventSourceMapping],
        invoke: Invoke,
        url: str,
        log: Log,
    ) -> None:
        """Start polling what is at `url`."""
        sqs = boto3.client("sqs", endpoint_url=url)
        dynamodb = boto3.client("dynamodb", endpoint_url=url)
        dynamodbstreams = boto3.client("dynamodbstreams", endpoint_url=url)
        self._pollers: list[_Poller] = [
            *(StreamPoller(each, invoke, log, dynamodbstreams, dynamodb, sqs) for each in streams),
            *(QueuePoller(each, invoke, log, sqs) for each in queues),
        ]
        for poller in self._pollers:
            poller.start()

    def stop(self) -> None:
        """Deliver what is on its way, streams first because they may fill queues, and end."""
        for poller in self._pollers:
            poller.stop()


def _sequence_number(record: Event) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _to_sqs_record(message: Mapping[str, Any], queue: str) -> Event:
    """Write a message as Lambda passes it on.

    See https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    attributes = {
        name: {
            "stringListValues": [],
            "binaryListValues": [],
            **{key[0].lower() + key[1:]: value for key, value in attribute.items()},
        }
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    record: Event = _as_lambda_writes(
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
            "awsRegion": REGION,
        }
    )
    return record


def _as_lambda_writes(value: object) -> Any:
    """Make JSON of what boto3 parsed: times are seconds, bytes are in base 64."""

    def default(value: datetime | bytes) -> float | str:
        return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()

    return json.loads(json.dumps(value, default=default))


def _with_parsed_body(record: Event) -> Event:
    """Make of a record what filters look at: they see into a body that is JSON."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record
