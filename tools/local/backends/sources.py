"""Records of streams and messages of queues, for pollers in another process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from tools.local.backends import emulator
from tools.local.backends.aws import Aws
from tools.local.backends.changes import FIRST

_MOST_MESSAGES = 10
"""Messages that SQS returns, or deletes, in one call."""
_LOOK_AGAIN = 1.0
"""Seconds between two looks at a queue where nothing changes: messages can become visible."""

Found = list[dict[str, Any]]


class Sources:
    """The streams and queues. Its methods are called through a manager of multiprocessing."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def records(self, table: str, after: str | None, most: int, wait: float = 0) -> Found:
        """Read a table's stream from a sequence number on; waits so many seconds for the first record."""

        def read() -> Found:
            emulator.enter_account()
            return list(emulator.records_after(table, after or FIRST, most))

        return self._await(read, wait)

    def newest(self, table: str) -> str:
        """Find the sequence number of a stream's last record."""
        with self._aws.changed:
            emulator.enter_account()
            return emulator.newest_number(table)

    def checkpoint(self, table: str, function: str) -> str | None:
        """Find the sequence number that a function has reached in a table's stream, if it has begun."""
        return self._aws.checkpoint(table, function)

    def advance(self, table: str, function: str, number: str) -> None:
        """Note the sequence number that a function has reached in a table's stream.

        Raises:
            NotSaved: it cannot be saved.
        """
        self._aws.advance(table, function, number)

    def receive(self, queue: str, most: int, wait: float = 0) -> Found:
        """Receive messages; waits so many seconds for the first."""

        def read() -> Found:
            answer = self._aws.call(
                "AmazonSQS.ReceiveMessage",
                QueueUrl=queue,
                MaxNumberOfMessages=min(most, _MOST_MESSAGES),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            return answer.get("Messages", [])  # type: ignore[no-any-return]

        return self._await(read, wait)

    def delete(self, queue: str, handles: Sequence[str]) -> None:
        """Delete messages that were received."""
        for start in range(0, len(handles), _MOST_MESSAGES):
            batch = enumerate(handles[start : start + _MOST_MESSAGES])
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in batch]
            self._aws.call("AmazonSQS.DeleteMessageBatch", QueueUrl=queue, Entries=entries)

    def keep(self, bucket: str, body: str) -> None:
        """Keep a record that was given up.

        Raises:
            LookupError: there is no such bucket.
            NotSaved: it cannot be saved.
        """
        item = {"key": {"S": str(uuid.uuid4())}, "body": {"S": body}}
        self._aws.call("DynamoDB_20120810.PutItem", TableName=bucket, Item=item)

    def _await(self, read: Callable[[], Found], seconds: float) -> Found:
        deadline = time.monotonic() + seconds
        with self._aws.changed:
            while not (found := read()) and (left := deadline - time.monotonic()) > 0:
                self._aws.changed.wait(min(left, _LOOK_AGAIN))
        return found
