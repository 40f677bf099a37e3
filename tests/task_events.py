"""A fake event bus, and the stream records that events are made from."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from shared.tasks.events import TaskEventDocument, event_of
from shared.tasks.indexes import StatusShards
from shared.tasks.table import item_from_task, task_key
from shared.tasks.task import NOBODY, Author, Task
from shared.tasks.trash_items import put_in_trash
from tests.local_stack import ROOT
from tests.tasks import new_task

ADA = Author("ada", "request-1")
SCHEMA = Draft202012Validator(
    json.loads((ROOT / "functions/api_docs/events.schema.json").read_text()), format_checker=FormatChecker()
)
# Characters that an SQS message, and so an event that a rule sends to a queue, may have. See
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
ALLOWED = re.compile("[\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class Bus:
    """Accepts events within EventBridge's limits, except those that a test refuses."""

    def __init__(self) -> None:
        self.calls: list[list[TaskEventDocument]] = []
        self.refused: set[str] = set()
        """Ids of events to refuse."""

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        names = ("Source", "DetailType", "Detail")
        assert sum(len(entry[name].encode()) for entry in Entries for name in names) <= 262_144
        assert all(ALLOWED.fullmatch(entry["Detail"]) for entry in Entries)
        events = [json.loads(entry["Detail"]) for entry in Entries]
        for each in events:
            SCHEMA.validate(each)
        self.calls.append(events)
        results = [
            {"ErrorCode": "InternalFailure"} if each["id"] in self.refused else {"EventId": "x"}
            for each in events
        ]
        return {"FailedEntryCount": sum("ErrorCode" in each for each in results), "Entries": results}


def record(before: Task | None, after: Task | None) -> dict[str, Any]:
    """The stream record of a write."""
    images = {"OldImage": before, "NewImage": after}
    written = before or after
    assert written
    return {
        "dynamodb": {
            "Keys": task_key(written.id),
            **{
                name: item_from_task(task, StatusShards(written=4, read=4))
                for name, task in images.items()
                if task
            },
        }
    }


def record_of_trash(deleted: Task) -> dict[str, Any]:
    item = trash_item(deleted)
    return {"dynamodb": {"Keys": {"pk": item["pk"]}, "NewImage": item}}


def record_of_purge(deleted: Task, by: Author, at: int) -> dict[str, Any]:
    item = trash_item(deleted)
    purged = {
        "pk": item["pk"],
        "purged_by": {"S": by.username},
        "request_id": {"S": by.request_id},
        "purged_at": {"N": str(at)},
        "expires_at": {"N": str(at // 10**6)},
    }
    return {"dynamodb": {"Keys": {"pk": item["pk"]}, "OldImage": item, "NewImage": purged}}


def record_of_removal(item: dict[str, Any], *, by_dynamodb: bool) -> dict[str, Any]:
    """The stream record of an item removed from the trash."""
    service = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
    return {
        **(service if by_dynamodb else {}),
        "dynamodb": {"Keys": {"pk": item["pk"]}, "OldImage": item},
    }


def trash_item(deleted: Task) -> dict[str, Any]:
    item: Any = put_in_trash("TasksTable", deleted, deleted.updated_at, 0)["Put"]["Item"]
    return {**item, "expires_at": {"N": "1767225600"}}


def new_event(title: str = "Buy milk", author: Author = NOBODY, **fields: Any) -> TaskEventDocument:
    created = event_of(record(None, new_task(title, author=author, **fields)))
    assert created
    return created
