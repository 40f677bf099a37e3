"""Polls a queue. Failed messages stay in it, hidden until their visibility timeout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.triggers.poller import Event, Poller


class QueuePoller(Poller):
    """Polls a queue for one function."""

    def _receive(self, number: int, wait: float) -> list[Event]:
        source = self.mapping.source
        return [_to_record(message, source) for message in self._sources.receive(source, number, wait)]

    def _deliver(self, records: list[Event]) -> None:
        wanted = [record for record in records if self.mapping.matches(_with_parsed_body(record))]
        failed: set[str] = set()
        if wanted:
            failed = self._invoke(wanted, [record["messageId"] for record in wanted])
        # Messages that match no filter are removed, too.
        done = [record["receiptHandle"] for record in records if record["messageId"] not in failed]
        self._until_saved(lambda: self._sources.delete(self.mapping.source, done))


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
    return {
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


def _with_parsed_body(record: Event) -> Event:
    """Return a record as filters see it: with its body parsed, if that is JSON."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record
