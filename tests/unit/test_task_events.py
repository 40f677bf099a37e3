"""Events of tasks: into the queue in order and in batches, out of it once each."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.task_events import EventQueue, TaskEvent, task_created
from shared.tasks import Task, TaskStatus
from tests.conftest import LambdaContext, event, load_function

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


def numbered(sizes: list[int]) -> list[TaskEvent]:
    return [
        TaskEvent("task.created", str(number), {"description": "x" * size})
        for number, size in enumerate(sizes)
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 120_000), max_size=35))
def test_all_go_in_order_in_calls_that_sqs_takes(sizes: list[int]) -> None:
    queue = Queue()
    assert EventQueue(queue, "queue").publish(numbered(sizes)) == len(sizes)  # type: ignore[arg-type]
    assert list(itertools.chain(*queue.calls)) == [str(number) for number in range(len(sizes))]


@given(st.sets(st.integers(0, 24), min_size=1))
def test_what_sqs_refuses_is_where_publishing_ended(refused: set[int]) -> None:
    queue = Queue()
    queue.refused = {str(number) for number in refused}
    assert EventQueue(queue, "queue").publish(numbered([10] * 25)) == min(refused)  # type: ignore[arg-type]


def test_small_events_share_calls() -> None:
    queue = Queue()
    EventQueue(queue, "queue").publish(numbered([10] * 25))  # type: ignore[arg-type]
    assert [len(call) for call in queue.calls] == [10, 10, 5]


@given(st.text(min_size=1))
@example("\ufffe\uffff")
def test_sqs_takes_any_title(title: str) -> None:
    EventQueue(Queue(), "queue").publish([new_task(title)])  # type: ignore[arg-type]


@pytest.mark.parametrize("title", ["Kaffee ☕", "\ufffe\uffff", "\x00\x1b", "🗓" * 200])
def test_any_title_arrives_as_it_is(aws: None, title: str) -> None:
    assert EventQueue().publish([new_task(title)]) == 1
    (message,) = boto3.client("sqs").receive_message(QueueUrl="NotificationsQueue")["Messages"]
    document = json.loads(message["Body"])
    assert (document["type"], document["task"]["title"]) == ("task.created", title)


def new_task(title: str) -> TaskEvent:
    return task_created(Task("1", title, "🗓" * 10_000, TaskStatus.PENDING, 1, 1, "ada", 1))


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

    def test_a_new_environment_remembers(self, sender: ModuleType, sent: list[str]) -> None:
        sender.handler(event("send_notification"), LambdaContext())
        again = load_function("send_notification")
        again.notifier = sender.notifier
        assert again.handler(event("send_notification"), LambdaContext()) == {"batchItemFailures": []}
        assert sent == ["Book the venue", "Send the invitations"]


class Notifier:
    def __init__(self, task_created: Callable[[dict[str, Any]], None]) -> None:
        self.task_created = task_created
