"""Events of tasks, with moto: published from the stream, and notified once each."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.tasks.events import EventQueue
from tests.handlers import LambdaContext, event, invoke, load_function
from tests.task_events import Queue, new_event


@pytest.mark.parametrize("title", ["Kaffee ☕", "\ufffe\uffff", "\x00\x1b", "🗓" * 200])
def test_any_title_arrives_as_it_is(aws: None, title: str) -> None:
    assert EventQueue().publish([new_event(title)]) == 1
    (message,) = boto3.client("sqs").receive_message(QueueUrl="NotificationsQueue")["Messages"]
    document = json.loads(message["Body"])
    assert (document["type"], document["task"]["title"]) == ("task.created", title)


def test_one_id_leads_from_the_request_to_its_notification(
    dynamodb: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    request_id = event("create_task")["requestContext"]["requestId"]
    invoke("authorize")
    invoke("create_task")
    (item,) = (each for each in dynamodb.scan(TableName="TasksTable")["Items"] if "version" in each)
    record = {**event("publish_task_events")["Records"][0], "dynamodb": {"NewImage": item}}
    invoke("publish_task_events", Records=[record])
    (message,) = boto3.client("sqs").receive_message(QueueUrl="NotificationsQueue")["Messages"]
    record = {**event("send_notification")["Records"][0], "body": message["Body"]}
    invoke("send_notification", Records=[record])
    assert [(entry["message"], entry["correlation_id"]) for entry in log()] == [
        ("token refused", request_id),
        ("answered", request_id),
        ("event published", request_id),
        ("notification sent", request_id),
    ]


class TestPublishing:
    @pytest.fixture
    def function(self, aws: None) -> ModuleType:
        return load_function("publish_task_events")

    def test_names_nothing_when_all_went(self, function: ModuleType) -> None:
        answer = function.handler(event("publish_task_events"), LambdaContext())
        assert answer == {"batchItemFailures": []}

    def test_names_the_first_record_that_failed(self, function: ModuleType) -> None:
        records = event("publish_task_events")["Records"]
        queue = Queue()
        queue.refused = {f"task.created:{records[1]['dynamodb']['NewImage']['id']['S']}"}
        function.queue._client = queue
        answer = function.handler({"Records": records}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]}

    def test_names_the_first_record_when_the_queue_cannot_be_reached(self, function: ModuleType) -> None:
        def time_out(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://sqs.internal")

        function.queue._client.meta.events.register_first("before-send.sqs", time_out)
        records = event("publish_task_events")["Records"]
        answer = function.handler({"Records": records}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}


class TestSending:
    @pytest.fixture
    def sender(self, aws: None) -> ModuleType:
        return load_function("send_notification")

    @pytest.fixture
    def sent(self, sender: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The titles that were notified."""
        titles: list[str] = []
        monkeypatch.setattr(sender, "notifier", Notifier(lambda task: titles.append(task["title"])))
        return titles

    def test_a_failing_message_does_not_make_the_others_repeat(
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
        assert sender.handler(batch, LambdaContext()) == failed
        assert sent == ["Send the invitations"]
        # Should all of them come again, only the one that failed is notified.
        fails[0] = False
        assert sender.handler(batch, LambdaContext()) == {"batchItemFailures": []}
        assert sent == ["Send the invitations", "Book the venue"]

    def test_a_batch_of_poison_is_reported_message_by_message(
        self, sender: ModuleType, sent: list[str]
    ) -> None:
        batch = event("send_notification")
        for record, body in zip(batch["Records"], ["[]", '{"type": "task.created"}'], strict=True):
            record["body"] = body
        answer = sender.handler(batch, LambdaContext())
        assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == [
            record["messageId"] for record in batch["Records"]
        ]
        assert sent == []

    def test_nothing_is_sent_that_there_is_no_time_to_remember(
        self, sender: ModuleType, sent: list[str]
    ) -> None:
        class Late(LambdaContext):
            def get_remaining_time_in_millis(self) -> int:
                return 6_000

        answer = sender.handler(event("send_notification"), Late())
        assert len(answer["batchItemFailures"]) == 2
        assert sent == []
        assert sender.handler(event("send_notification"), LambdaContext()) == {"batchItemFailures": []}
        assert len(sent) == 2

    def test_a_new_environment_remembers(self, sender: ModuleType, sent: list[str]) -> None:
        sender.handler(event("send_notification"), LambdaContext())
        again = load_function("send_notification")
        again.notifier = sender.notifier
        assert again.handler(event("send_notification"), LambdaContext()) == {"batchItemFailures": []}
        assert sent == ["Book the venue", "Send the invitations"]


class Notifier:
    def __init__(self, task_created: Callable[[dict[str, Any]], None]) -> None:
        self.task_created = task_created
