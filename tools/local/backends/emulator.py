"""DynamoDB, SQS, EventBridge and Secrets Manager: ministack's services, in this process.

The one module that reaches into ministack, whose version is pinned for that reason.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import dynamodb, dynamodb_streams, eventbridge, secretsmanager, sqs

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.backends.sorted_index import SortedIndexes

Item = dict[str, Any]
"""An item in DynamoDB's own JSON."""
Record = dict[str, Any]
"""A record of a table's stream."""
Message = dict[str, Any]
"""A message in a queue, as ministack holds it."""
Secret = dict[str, Any]
"""A secret, as ministack holds it."""
Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""

_SERVICES = {
    "DynamoDB_20120810": dynamodb,
    "DynamoDBStreams_20120810": dynamodb_streams,
    "AmazonSQS": sqs,
    "AWSEvents": eventbridge,
    "secretsmanager": secretsmanager,
}
_TRANSACTION_TOKEN_TTL = 60
"""Seconds. DynamoDB honors a client request token for ten minutes; ministack keeps the whole transaction for
as long, and clients here retry within seconds."""

_LONGEST_TIMEOUT = 12 * 3600
"""Seconds for which SQS hides a message at most."""

os.environ["LOG_LEVEL"] = "ERROR"  # read by ministack at its first request
dynamodb._TXN_TOKEN_TTL = _TRANSACTION_TOKEN_TTL
_indexes = SortedIndexes(dynamodb)


class UnknownService(Exception):
    """The request names a service that this machine does not have, or none."""


def enter_account() -> None:
    """Set the stack's account and region for this thread or task."""
    set_request_account_id(ACCOUNT)
    set_request_region(REGION)


def handle(headers: Mapping[str, str], body: bytes) -> Reply:
    """Handle a request in AWS's JSON protocol, at once: who waits for a message asks again.

    Args:
        headers: The request's headers, their names in lower case.
        body: Its body.

    Raises:
        UnknownService: `x-amz-target` names none of the services.
    """
    target = headers.get("x-amz-target", "")
    service = _SERVICES.get(target.partition(".")[0])
    if service is None:
        raise UnknownService(target)
    if target == "AmazonSQS.ReceiveMessage":
        with contextlib.suppress(ValueError, TypeError):  # ministack refuses it
            body = json.dumps({**json.loads(body), "WaitTimeSeconds": 0}).encode()
    enter_account()
    try:
        service.handle_request("POST", "/", dict(headers), body, {}).send(None)
    except StopIteration as done:
        if service is eventbridge:
            eventbridge._events_log["entries"] = []  # nothing reads it; it would only grow
        status, reply_headers, reply = done.value
        return status, reply_headers, reply if isinstance(reply, bytes) else reply.encode()
    raise RuntimeError(f"{target} does not answer at once")


def enable_stream(table: str) -> None:
    """Begin a table's stream, with new and old images; it is how changes are recorded, too."""
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb._update_table({"TableName": table, "StreamSpecification": stream})


def keep_expired() -> None:
    """Keep expired items: ministack would remove them without a record in the stream."""
    dynamodb._ttl_settings.clear()


def expired(table: str, attribute: str, now: float) -> list[Item]:
    """List the items of a table that had expired by a Unix time."""
    stored = dynamodb._tables[table]["items"].values()
    items = (item for partition in stored for item in partition.values())
    return [item for item in items if float(item.get(attribute, {}).get("N", "inf")) <= now]


def load_items(table: str, items: Iterable[Item]) -> None:
    """Put items into an empty table, without a trace in its stream."""
    stored = dynamodb._tables[table]
    for item in items:
        dynamodb._set_item(stored, *_place(stored, item), item)


def records(table: str, position: int) -> Sequence[Record]:
    """Read a table's stream from a position on, which counts all records there ever were."""
    found: Sequence[Record] = dynamodb.stream_records_since(table, position, 1_000_000)
    return found


def records_after(table: str, sequence_number: str, most: int) -> Sequence[Record]:
    """Read a table's stream from a sequence number on."""
    stream: Sequence[Record] = dynamodb.stream_live_records(table)
    start = bisect_right(stream, sequence_number, key=_number)
    return stream[start : start + most]


def load_records(table: str, records: Iterable[Record]) -> int:
    """Put records into an empty stream; returns how many there are.

    Their age starts anew, because streams forget records after a day, and nobody could read these meanwhile.
    """
    now, arn = int(time.time()), dynamodb._tables[table]["LatestStreamArn"]
    stream = [
        {
            **record,
            "eventSourceARN": arn,
            "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": now},
        }
        for record in records
    ]
    dynamodb._stream_records[table] = stream
    return len(stream)


def number_records_after(sequence_number: str) -> None:
    """Give all further records higher sequence numbers, even if the clock was set back."""
    numbers = itertools.count(int(sequence_number or 0) + 1)
    dynamodb._next_stream_seq = lambda: f"{next(numbers):030d}"


def newest_number(table: str) -> str:
    """Find the sequence number of a stream's last record, or one before those of all records."""
    return max(map(_number, records(table, 0)), default="0")


def trim(table: str, sequence_number: str) -> None:
    """Forget a stream's records up to a sequence number; ministack would keep them for 24 hours."""
    kept = dynamodb._stream_records.get(table) or []
    done = bisect_right(kept, sequence_number, key=_number)
    del kept[:done]
    dynamodb._stream_trimmed[table] = dynamodb._stream_trimmed.get(table, 0) + done


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def queues() -> Iterator[tuple[str, list[Message]]]:
    """Yield each queue's name and its messages, the oldest first."""
    for queue in sqs._queues.values():
        yield queue["name"], queue["messages"]


def load_messages(queue: str, messages: Iterable[Message]) -> None:
    """Put messages back into a queue, to be received at once, unless a function has hidden them."""
    for each in sqs._queues.values():
        if each["name"] == queue:
            for message in messages:
                # A message is saved after it was received only if it was hidden.
                visible_at = message["visible_at"] if message["receive_count"] else 0
                if visible_at > time.time() + _LONGEST_TIMEOUT:  # the clock was set back
                    visible_at = 0
                each["messages"].append({**message, "receipt_handle": None, "visible_at": visible_at})


def forget_transaction(body: bytes) -> None:
    """Forget that a transaction with the token of this request was done."""
    dynamodb._txn_idempotency.pop(json.loads(body).get("ClientRequestToken"), None)


def secrets() -> Iterator[tuple[str, Secret]]:
    """Yield each secret by name, with its versions."""
    yield from secretsmanager._secrets.items()


def load_secret(name: str, secret: Secret) -> None:
    """Put a secret back, with the versions that it had."""
    secretsmanager._secrets[name] = secret


def undo(table: str, position: int) -> None:
    """Undo the changes that a table's stream has from a position on, and remove their records."""
    stored, stream = dynamodb._tables[table], dynamodb._stream_records.get(table) or []
    kept = position - dynamodb.stream_start_position(table)
    for record in reversed(stream[kept:]):
        place, old = _place(stored, record["dynamodb"]["Keys"]), record["dynamodb"].get("OldImage")
        if old:
            dynamodb._set_item(stored, *place, old)
        else:
            dynamodb._remove_item(stored, *place)
    del stream[kept:]


def _place(stored: Mapping[str, Any], key: Item) -> tuple[str, str]:
    """Find where ministack keeps the item with these key attributes."""
    partition, sort = stored["pk_name"], stored["sk_name"]
    read = dynamodb._extract_key_val
    return read(key[partition]), read(key[sort]) if sort else "__no_sort__"
