"""A queue for events of tasks, and an event to send."""

from __future__ import annotations

import json
import re
from typing import Any

from shared.tasks.events import TaskEvent, task_created
from tests.tasks import new_task

# What a message may consist of. See
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
ALLOWED = re.compile("[\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class Queue:
    """Takes what is sent as SQS does, or refuses some of it."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.refused: set[str] = set()

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        assert sum(len(entry["MessageBody"].encode()) for entry in Entries) <= 262_144
        assert all(ALLOWED.fullmatch(entry["MessageBody"]) for entry in Entries)
        self.calls.append([json.loads(entry["MessageBody"])["id"] for entry in Entries])
        failed = [entry for entry in Entries if json.loads(entry["MessageBody"])["id"] in self.refused]
        return {"Failed": [{"Id": entry["Id"], "SenderFault": False} for entry in failed]} if failed else {}


def new_event(title: str) -> TaskEvent:
    return task_created(new_task(title, description="🗓" * 10_000))
