"""Polls a queue. What failed stays in it, unseen until its visibility timeout has passed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.log_entries import DeliveryLog
from tools.local.triggers.mappings import EventSourceMapping
from tools.local.triggers.poller import Event, Invoke, Poller, as_lambda_writes

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""What SQS gives, and deletes, at a time."""
_WAIT = 20
"""Seconds for which SQS waits for a message, at most. See
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""


class QueuePoller(Poller):
    """Polls a queue for one function."""

    def __init__(
        self, mapping: EventSourceMapping, invoke: Invoke, log: DeliveryLog, sqs: SQSClient, wait: int = _WAIT
    ) -> None:
        """Prepare to poll; `wait` is for how many seconds a poll waits for a message."""
        super().__init__(mapping, invoke, log)
        self._sqs = sqs
        self._wait = wait

    def poll(self) -> bool:
        """Deliver a batch; returns whether there was one."""
        first = self._receive(self.mapping.batch_size, self._wait)
        with self._working:
            if self._stopping.is_set():
                return False
            records = self._fill(first, self._receive)
            wanted = [record for record in records if self.mapping.matches(_with_parsed_body(record))]
            failed: set[str] = set()
            if wanted:
                failed = self._invoke(wanted, [record["messageId"] for record in wanted])
            # A message that no filter wants is removed too.
            self._delete(record for record in records if record["messageId"] not in failed)
            return bool(records)

    def _receive(self, number: int, wait: int = 0) -> list[Event]:
        answer = self._sqs.receive_message(
            QueueUrl=self.mapping.source,
            MaxNumberOfMessages=min(number, _BATCH),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [_to_record(message, self.mapping.source) for message in answer.get("Messages", [])]

    def _delete(self, records: Iterable[Event]) -> None:
        handles = (record["receiptHandle"] for record in records)
        while batch := list(itertools.islice(handles, _BATCH)):
            self._sqs.delete_message_batch(
                QueueUrl=self.mapping.source,
                Entries=[{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate(batch)],
            )


def _to_record(message: Mapping[str, Any], queue: str) -> Event:
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
    record: Event = as_lambda_writes(
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


def _with_parsed_body(record: Event) -> Event:
    """Make of a record what filters look at: they see into a body that is JSON."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record
