"""Task events: published from the stream, and notified once each."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.tasks.bus import EventBus
from shared.tasks.events import TaskEventDocument, due_event
from shared.tasks.store import TaskStore
from shared.tasks.task import NOBODY, TaskStatus
from shared.tasks.trash import Trash
from tests.handlers import LambdaContext, context_of, event, invoke, load_function
from tests.task_events import ADA, Bus, new_event
from tests.tasks import changing, new_task

START = 1_767_225_600
DUE = 4_000_000_000
"""A due date that lies in the future when it is set."""
IN_TIME = context_of("send_notification")


def message_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Publish records; returns the resulting message of the queue."""
    invoke("publish_task_events", Records=records)
    (message,) = boto3.client("sqs").receive_message(QueueUrl="NotificationsQueue")["Messages"]
    return {**event("send_notification")["Records"][0], "body": message["Body"]}


@pytest.fixture
def dynamodb(emulated_dynamodb: Any) -> Any:
    return emulated_dynamodb


def test_one_id_follows_a_request_to_its_notification(
    dynamodb: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    request_id = event("create_task")["requestContext"]["requestId"]
    invoke("authorize")
    invoke("create_task")
    (item,) = (each for each in dynamodb.scan(TableName="TasksTable")["Items"] if "version" in each)
    record = {**event("publish_task_events")["Records"][0], "dynamodb": {"Keys": item, "NewImage": item}}
    invoke("send_notification", Records=[message_of([record])])
    assert [(entry["message"], entry["correlation_id"]) for entry in log()] == [
        ("token refused", request_id),
        ("answered", request_id),
        ("event published", request_id),
        ("notification sent", request_id),
    ]


def test_only_new_and_due_tasks_are_notified(dynamodb: Any) -> None:
    queue, task = boto3.client("sqs"), new_task(due_at=START)
    created, due = new_event(), due_event(task)
    others = [{**created, "type": "task.updated"}, {**created, "type": "task.deleted"}]
    EventBus().publish([*others, created, due])
    messages = queue.receive_message(QueueUrl="NotificationsQueue", MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["detail"] for message in messages] == [created, due]


class TestPublishing:
    @pytest.fixture
    def function(self, aws: None) -> ModuleType:
        return load_function("publish_task_events")

    def test_reports_the_first_record_that_failed(self, function: ModuleType) -> None:
        records = event("publish_task_events")["Records"]
        bus = Bus()
        bus.refused = {f"{records[1]['dynamodb']['NewImage']['id']['S']}:1"}
        function.bus._client = bus
        answer = function.handler({"Records": records}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]}

    def test_reports_the_first_record_when_the_bus_is_unreachable(self, function: ModuleType) -> None:
        def time_out(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://events.internal")

        function.bus._client.meta.events.register_first("before-send.events", time_out)
        records = event("publish_task_events")["Records"]
        answer = function.handler({"Records": records}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}


class TestSending:
    @pytest.fixture
    def sender(self, aws: None) -> ModuleType:
        return load_function("send_notification")

    @pytest.fixture
    def sent(self, sender: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The titles of notified tasks."""
        titles: list[str] = []
        monkeypatch.setattr(sender, "notifier", Notifier(lambda task: titles.append(task["title"])))
        return titles

    def test_a_failed_message_does_not_repeat_the_others(
        self, sender: ModuleType, sent: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch = event("send_notification")
        working, fails = sender.notifier, [True]

        def fail_for_the_first(task: dict[str, Any]) -> None:
            if fails[0] and task["title"] == "Book the venue":
                raise ConnectionError("no mail today")
            working.task_created(task)

        monkeypatch.setattr(sender, "notifier", Notifier(fail_for_the_first))
        failed = {"batchItemFailures": [{"itemIdentifier": batch["Records"][0]["messageId"]}]}
        assert sender.handler(batch, IN_TIME) == failed
        assert sent == ["Send the invitations"]
        # If both messages are delivered again, only the failed one is notified.
        fails[0] = False
        assert sender.handler(batch, IN_TIME) == {"batchItemFailures": []}
        assert sent == ["Send the invitations", "Book the venue"]

    def test_a_batch_of_poison_is_reported_message_by_message(
        self, sender: ModuleType, sent: list[str]
    ) -> None:
        batch = event("send_notification")
        for record, body in zip(batch["Records"], ["[]", '{"type": "task.created"}'], strict=True):
            record["body"] = body
        answer = sender.handler(batch, IN_TIME)
        assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == [
            record["messageId"] for record in batch["Records"]
        ]
        assert sent == []

    def test_nothing_is_sent_without_time_to_record_it(self, sender: ModuleType, sent: list[str]) -> None:
        answer = sender.handler(event("send_notification"), LambdaContext(6))
        assert len(answer["batchItemFailures"]) == 2
        assert sent == []
        assert sender.handler(event("send_notification"), IN_TIME) == {"batchItemFailures": []}
        assert len(sent) == 2

    def test_an_event_and_its_message_in_the_old_format_are_notified_once(
        self, sender: ModuleType, sent: list[str]
    ) -> None:
        batch = event("send_notification")
        for record in batch["Records"]:
            message = json.loads(record["body"])
            created = new_event(message["task"]["title"], author=ADA)
            created["subject"] = message["task"]["id"]
            record["body"] = json.dumps({"detail-type": "task.created", "detail": created})
        for each in (batch, event("send_notification")):
            assert sender.handler(each, IN_TIME) == {"batchItemFailures": []}
        assert sent == ["Book the venue", "Send the invitations"]

    def test_only_tasks_that_are_still_due_are_notified(
        self, sender: ModuleType, sent: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = TaskStore(lambda: None)
        tasks = [
            store.create(new_task(title, due_at=DUE)).task
            for title in ("Due", "Started", "Moved", "Done", "Deleted", "Restored")
        ]
        events = [due_event(task) for task in tasks]
        _, started, moved, done, deleted, restored = tasks
        store.update(started.id, changing(status=TaskStatus.IN_PROGRESS, title="Begun"))
        store.update(moved.id, changing(due_at=DUE + 1))
        store.update(done.id, changing(status=TaskStatus.COMPLETED))
        store.delete(deleted.id)
        store.delete(restored.id)
        with monkeypatch.context() as patch:
            patch.setattr("shared.tasks.trash.current_time", lambda: (DUE + 1) * 1_000_000)
            Trash(lambda: None).restore(restored.id, author=NOBODY)
        for _ in range(2):
            assert sender.handler(batch_of(events), IN_TIME) == {"batchItemFailures": []}
        assert sent == ["Due", "Begun"]
        moved = store.get(moved.id)
        sender.handler(batch_of([due_event(moved)]), IN_TIME)
        assert sent == ["Due", "Begun", "Moved"]

    def test_a_new_execution_environment_does_not_notify_again(
        self, sender: ModuleType, sent: list[str]
    ) -> None:
        sender.handler(event("send_notification"), IN_TIME)
        again = load_function("send_notification")
        again.notifier = sender.notifier
        assert again.handler(event("send_notification"), IN_TIME) == {"batchItemFailures": []}
        assert sent == ["Book the venue", "Send the invitations"]


class Notifier:
    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.task_created = self.task_due = send


def batch_of(events: list[TaskEventDocument]) -> dict[str, Any]:
    """A batch of queue messages, one for each event."""
    template = event("send_notification")["Records"][0]
    bodies = [json.dumps({"detail-type": each["type"], "detail": each}) for each in events]
    return {"Records": [{**template, "messageId": str(n), "body": body} for n, body in enumerate(bodies)]}
