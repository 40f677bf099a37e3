"""`make redrive`: sends the dead letters of a stack's queues back to their source queues."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.aws import batches
from tools.events.command import Progress, complain, duration, parser, run
from tools.stacks import Stack, StackError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_VISIBILITY = 60
"""Visibility timeout in seconds, during which no other receiver gets the messages."""
_WAIT = 1
"""Seconds to wait for a message. Above 0, SQS queries all of its servers, so none means none."""


@dataclass(frozen=True)
class Pair:
    """A queue and its dead-letter queue."""

    queue: str
    url: str
    dead: str
    dead_url: str


def main() -> int:
    """Move the chosen dead letters; returns the exit status."""
    options = parser(
        "redrive",
        "Send the dead letters of a stack's queues back to their source queues. Fix the cause first. "
        "Messages that fail again meanwhile stay. Safe to repeat: after an interruption between sending and "
        "deleting, up to ten messages are sent twice, and consumers deduplicate.",
    )
    options.add_argument(
        "--queue", metavar="NAME", help="only this queue, such as NotificationsQueue (default: all queues)"
    )
    return run(options.parse_args(), _redrive)


def _redrive(chosen: argparse.Namespace, stack: Stack) -> bool:
    sqs: SQSClient = stack.client("sqs")
    found = list(pairs(sqs, stack.queues()))
    wanted = [pair for pair in found if chosen.queue in {None, pair.queue}]
    if not wanted:
        others = ", ".join(pair.queue for pair in found) or "none"
        raise StackError(
            f"There is no queue {chosen.queue or ''} with a dead-letter queue. "
            f"Queues that have one: {others}."
        )
    done = [_redrive_one(sqs, pair, chosen) for pair in wanted]
    return all(done)


def pairs(sqs: SQSClient, urls: dict[str, str]) -> Iterator[Pair]:
    """Find the queues that have a dead-letter queue.

    Args:
        sqs: An SQS client.
        urls: URLs of the stack's queues, by logical id.
    """
    attributes = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])[
            "Attributes"
        ]
        for name, url in urls.items()
    }
    names = {each["QueueArn"]: name for name, each in attributes.items()}
    for name, each in attributes.items():
        target = json.loads(each.get("RedrivePolicy", "{}")).get("deadLetterTargetArn")
        if dead := names.get(target):
            yield Pair(name, urls[name], dead, urls[dead])


def _redrive_one(sqs: SQSClient, pair: Pair, chosen: argparse.Namespace) -> bool:
    move = _Move(sqs, pair)
    print(
        f"{pair.queue}: {move.total:,} dead letters in {pair.dead}{move.hidden}, "
        f"to move back at {chosen.rate} a second: {duration(move.total, chosen.rate)}",
        flush=True,
    )
    if chosen.dry_run or not move.total:
        return True
    with Progress(chosen.rate, move.line) as progress:
        move.run(progress)
    return not move.failed


class _Move:
    """Moves the dead letters that exist when it starts.

    StartMessageMoveTask moves only messages that came from a queue, and EventBridge also sends undeliverable
    events to a dead-letter queue. See
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    """

    def __init__(self, sqs: SQSClient, pair: Pair) -> None:
        self._sqs = sqs
        self._pair = pair
        self._began = time.time() * 1000
        found = sqs.get_queue_attributes(
            QueueUrl=pair.dead_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        self.total = int(found["ApproximateNumberOfMessages"])
        hidden = int(found["ApproximateNumberOfMessagesNotVisible"])
        self.hidden = f" (and {hidden:,} in flight)" if hidden else ""
        self.moved = self.failed = 0
        self._done: set[str] = set()
        """Ids of messages that failed or were moved; a moved message has two ids, before and after."""

    def line(self) -> str:
        failed = f", {self.failed:,} failed and stay in {self._pair.dead}" if self.failed else ""
        return f"{self._pair.queue}: {self.moved:,} of {self.total:,} moved{failed}"

    def run(self, progress: Progress) -> None:
        received = 0
        while (left := self.total - self.moved - self.failed) > 0 and received < 2 * self.total:
            found = self._sqs.receive_message(
                QueueUrl=self._pair.dead_url,
                MaxNumberOfMessages=min(progress.batch_size, left),
                VisibilityTimeout=_VISIBILITY,
                WaitTimeSeconds=_WAIT,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp", "MessageGroupId"],
            ).get("Messages", [])
            if not found:
                complain(f"{left:,} are not visible now; if another run was interrupted, wait a minute")
                break
            messages = [message for message in found if self._was_there(message)]
            for batch in batches(messages, _size):
                self._move(batch)
            received += len(found)
            progress.pause(len(found))

    def _was_there(self, message: MessageTypeDef) -> bool:
        """Whether a message was dead at the start. A dead letter keeps its id and the time when it was sent.

        The time alone is not enough, because this machine's clock can differ from that of SQS.
        """
        return (
            message["MessageId"] not in self._done
            and int(message["Attributes"]["SentTimestamp"]) <= self._began
        )

    def _move(self, messages: Sequence[MessageTypeDef]) -> None:
        entries: Any = [
            {
                "Id": str(number),
                "MessageBody": message["Body"],
                "MessageAttributes": message.get("MessageAttributes", {}),
                **_group(message),
            }
            for number, message in enumerate(messages)
        ]
        reply = self._sqs.send_message_batch(QueueUrl=self._pair.url, Entries=entries)
        self._done.update(message["MessageId"] for message in messages)
        self._done.update(each["MessageId"] for each in reply.get("Successful", []))
        for refused in reply.get("Failed", []):
            self.failed += 1
            id_ = messages[int(refused["Id"])]["MessageId"]
            complain(f"message {id_} was refused: {refused['Code']} {refused.get('Message', '')}".strip())
        sent = [each["Id"] for each in reply.get("Successful", [])]
        if sent:
            self._delete(messages, sent)

    def _delete(self, messages: Sequence[MessageTypeDef], ids: Sequence[str]) -> None:
        entries: Any = [{"Id": id_, "ReceiptHandle": messages[int(id_)]["ReceiptHandle"]} for id_ in ids]
        reply = self._sqs.delete_message_batch(QueueUrl=self._pair.dead_url, Entries=entries)
        kept = reply.get("Failed", [])
        for each in kept:
            id_ = messages[int(each["Id"])]["MessageId"]
            complain(
                f"message {id_} was sent, but cannot be deleted: {each['Code']}; the next run sends it again"
            )
        self.failed += len(kept)
        self.moved += len(ids) - len(kept)


def _group(message: MessageTypeDef) -> dict[str, str]:
    """Message group for fair queues, if the message has one."""
    group = message["Attributes"].get("MessageGroupId")
    return {"MessageGroupId": group} if group else {}


def _size(message: MessageTypeDef) -> int:
    attributes = message.get("MessageAttributes", {})
    return len(message["Body"].encode()) + sum(
        len(name.encode())
        + len(value["DataType"])
        + len(value.get("StringValue", "").encode())
        + len(value.get("BinaryValue", b""))
        for name, value in attributes.items()
    )


if __name__ == "__main__":
    sys.exit(main())
