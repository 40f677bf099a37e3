"""The pollers of the local stack do as Lambda's event source mappings would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.events.models import EventPattern

from tests.conftest import ROOT
from tools.local.backends.own_table import create_own_table
from tools.local.log_entries import DeliveryLogEntry
from tools.local.template import load_template
from tools.local.triggers.mappings import EventSourceMapping, queue_mappings, stream_mappings
from tools.local.triggers.poller import InvocationFailed
from tools.local.triggers.queue import QueuePoller
from tools.local.triggers.stream import StreamPoller


class Function:
    """Notes what it is called with, and fails for the bodies or keys it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.bad: set[str] = set()
        self.raises = False
        self.answer: Any = None

    def __call__(self, function: str, event: dict[str, Any]) -> Any:
        names = [self._name(record) for record in event["Records"]]
        self.batches.append(names)
        failed = [record for record in event["Records"] if self._name(record) in self.bad]
        if failed and self.raises:
            raise InvocationFailed("bad")
        failures = [{"itemIdentifier": self._id(record)} for record in failed]
        return self.answer or {"batchItemFailures": failures}

    def _name(self, record: dict[str, Any]) -> str:
        return str(record["body"] if "body" in record else record["dynamodb"]["Keys"]["pk"]["S"])

    def _id(self, record: dict[str, Any]) -> str:
        return str(record["messageId"] if "body" in record else record["dynamodb"]["SequenceNumber"])


@pytest.fixture(autouse=True)
def _aws() -> Iterator[None]:
    with mock_aws():
        sqs = boto3.client("sqs")
        sqs.create_queue(QueueName="queue", Attributes={"VisibilityTimeout": "60"})
        sqs.create_queue(QueueName="given-up")
        boto3.client("dynamodb").create_table(
            TableName="table",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        create_own_table(boto3.client("dynamodb"))
        yield


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def log() -> list[DeliveryLogEntry]:
    return []


def queue_poller(function: Function, log: list[DeliveryLogEntry], **settings: Any) -> QueuePoller:
    mapping = EventSourceMapping(function="f", source="queue", **{"batch_size": 10, **settings})
    return QueuePoller(mapping, function, log.append, boto3.client("sqs"), wait=0)


def stream_poller(
    function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> StreamPoller:
    mapping = EventSourceMapping(function="f", source="table", **{"batch_size": 10, **settings})
    clients = [boto3.client(name) for name in ("dynamodbstreams", "dynamodb", "sqs")]
    poller = StreamPoller(mapping, function, log.append, *clients)  # type: ignore[arg-type]
    monkeypatch.setattr(poller._stopping, "wait", lambda _seconds: False)
    return poller


def send(*bodies: str) -> None:
    for body in bodies:
        boto3.client("sqs").send_message(QueueUrl="queue", MessageBody=body)


def put(*keys: str) -> None:
    for key in keys:
        boto3.client("dynamodb").put_item(TableName="table", Item={"pk": {"S": key}})


def counts() -> tuple[int, int]:
    """How many messages are in the queue, seen or unseen, and how many records were given up."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    both = [
        boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        for url in ("queue", "given-up")
    ]
    left, given_up = (sum(map(int, each.values())) for each in both)
    return left, given_up


class TestAQueue:
    def test_is_read_in_batches(self, function: Function, log: list[DeliveryLogEntry]) -> None:
        send(*"abcde")
        poller = queue_poller(function, log, batch_size=2)
        while poller.poll():
            pass
        assert [len(batch) for batch in function.batches] == [2, 2, 1]
        assert counts() == (0, 0)
        assert [entry.size for entry in log] == [2, 2, 1]

    def test_a_batch_may_be_larger_than_one_reading(
        self, function: Function, log: list[DeliveryLogEntry]
    ) -> None:
        send(*map(str, range(25)))
        poller = queue_poller(function, log, batch_size=25, window=60)
        poller.poll()
        assert [len(batch) for batch in function.batches] == [25]

    def test_keeps_only_what_failed(self, function: Function, log: list[DeliveryLogEntry]) -> None:
        send("good", "bad", "fine")
        function.bad = {"bad"}
        queue_poller(function, log, reports_failures=True).poll()
        assert counts() == (1, 0)
        assert log[0].failed == 1

    @pytest.mark.parametrize("answer", [{"batchItemFailures": [{"itemIdentifier": "?"}]}, "nonsense"])
    def test_keeps_all_when_the_answer_makes_no_sense(
        self, function: Function, log: list[DeliveryLogEntry], answer: Any
    ) -> None:
        send("a", "b")
        function.answer = answer
        queue_poller(function, log, reports_failures=True).poll()
        assert counts() == (2, 0)

    def test_keeps_all_when_the_function_fails(self, function: Function, log: list[DeliveryLogEntry]) -> None:
        send("good", "bad")
        function.bad, function.raises = {"bad"}, True
        queue_poller(function, log).poll()
        assert counts() == (2, 0)

    def test_a_message_that_no_filter_wants_is_removed(
        self, function: Function, log: list[DeliveryLogEntry]
    ) -> None:
        send('{"kind": "a"}', '{"kind": "b"}', "no JSON")
        patterns = (EventPattern.load('{"body": {"kind": ["a"]}}'),)
        queue_poller(function, log, patterns=patterns).poll()
        assert function.batches == [['{"kind": "a"}']]
        assert counts() == (0, 0)


class TestAStream:
    def test_goes_on_where_it_failed(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(*"abc")
        function.bad = {"b"}
        poller = stream_poller(
            function, log, monkeypatch, reports_failures=True, retries=2, failures="given-up"
        )
        while poller.poll():
            pass
        assert function.batches == [["a", "b", "c"], ["b", "c"], ["b", "c"]]
        assert counts() == (0, 1)
        put("d")
        poller.poll()
        assert function.batches[-1] == ["d"]

    def test_bisecting_finds_the_bad_record(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(*"abcd")
        function.bad, function.raises = {"c"}, True
        stream_poller(function, log, monkeypatch, bisects=True, retries=1, failures="given-up").poll()
        assert function.batches == [list("abcd"), list("ab"), list("cd"), ["c"], ["c"], ["d"]]
        message = boto3.client("sqs").receive_message(QueueUrl="given-up")["Messages"][0]
        document = json.loads(message["Body"])
        assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert document["DDBStreamBatchInfo"]["batchSize"] == 1

    @pytest.mark.parametrize("settings", [{"reports_failures": True}, {"bisects": True}], ids=str)
    def test_what_was_done_with_is_not_repeated_after_a_restart(
        self,
        function: Function,
        log: list[DeliveryLogEntry],
        monkeypatch: pytest.MonkeyPatch,
        settings: dict[str, Any],
    ) -> None:
        put(*"abcd")
        function.bad, function.raises = {"c"}, "bisects" in settings
        first = stream_poller(function, log, monkeypatch, retries=9, **settings)
        tries = iter([False] * 2)
        monkeypatch.setattr(first._stopping, "wait", lambda _seconds: next(tries, True))
        first.poll()  # and it stops after some tries
        assert function.batches[0] == list("abcd")
        function.batches, function.bad = [], set()
        stream_poller(function, log, monkeypatch, retries=9, **settings).poll()
        assert function.batches == [["c", "d"]]

    def test_old_records_are_given_up(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put("a")
        stream_poller(function, log, monkeypatch, record_age=-5, failures="given-up").poll()
        assert function.batches == []
        assert counts() == (0, 1)

    def test_filters(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put("TASK#1", "TITLE#1", "TASK#2")
        patterns = (EventPattern.load('{"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "TASK#"}]}}}}'),)
        stream_poller(function, log, monkeypatch, patterns=patterns).poll()
        assert function.batches == [["TASK#1", "TASK#2"]]

    @pytest.mark.parametrize(("latest", "seen"), [(False, [["old", "new"]]), (True, [["new"]])])
    def test_starts_where_it_should(
        self,
        function: Function,
        log: list[DeliveryLogEntry],
        monkeypatch: pytest.MonkeyPatch,
        latest: bool,
        seen: list[list[str]],
    ) -> None:
        put("old")
        poller = stream_poller(function, log, monkeypatch, starts_at_latest=latest)
        put("new")
        poller.poll()
        assert function.batches == seen

    def test_goes_on_after_a_restart_where_it_was(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put("before")
        stream_poller(function, log, monkeypatch, starts_at_latest=True).poll()
        put(*"abc")
        stream_poller(function, log, monkeypatch, starts_at_latest=True, batch_size=2).poll()
        stream_poller(function, log, monkeypatch, starts_at_latest=True).poll()
        assert function.batches == [["a", "b"], ["c"]]

    def test_what_was_not_delivered_is_delivered_after_a_restart(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(*"ab")
        function.bad = {"b"}
        poller = stream_poller(function, log, monkeypatch, reports_failures=True)
        monkeypatch.setattr(poller._stopping, "wait", lambda _seconds: True)
        poller.poll()
        function.bad = set()
        stream_poller(function, log, monkeypatch).poll()
        assert function.batches == [["a", "b"], ["b"]]

    def test_nothing_is_skipped_when_the_failure_queue_is_away(
        self, function: Function, log: list[DeliveryLogEntry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(*"ab")
        function.bad, function.raises = {"a", "b"}, True
        poller = stream_poller(function, log, monkeypatch, retries=0, failures="away")
        with pytest.raises(ClientError):
            poller.poll()
        function.bad = set()
        poller.poll()
        assert function.batches[-1] == ["a", "b"]


class TestStopping:
    def test_begins_nothing_more(self, function: Function, log: list[DeliveryLogEntry]) -> None:
        send("a")
        poller = queue_poller(function, log)
        poller.stop(deadline=0)
        poller.start()
        poller._thread.join(10)
        assert function.batches == []

    def test_lets_what_was_begun_end(self, log: list[DeliveryLogEntry]) -> None:
        begun, may_end = threading.Event(), threading.Event()

        def function(name: str, event: object) -> None:
            begun.set()
            may_end.wait(10)

        send("a")
        poller = queue_poller(function, log)  # type: ignore[arg-type]
        poller.start()
        assert begun.wait(10)
        threading.Timer(0.05, may_end.set).start()
        poller.stop(deadline=time.monotonic() + 10)
        assert counts() == (0, 0)


def test_the_mappings_come_from_the_template() -> None:
    template = load_template(ROOT / "template.yaml", {})
    (queue,) = queue_mappings(template)
    assert (queue.function, queue.source) == ("SendNotificationFunction", "NotificationsQueue")
    assert (queue.batch_size, queue.reports_failures) == (10, True)
    publish = {each.function: each for each in stream_mappings(template)}["PublishTaskEventsFunction"]
    assert (publish.source, publish.failures) == ("TasksTable", "UnpublishedEventsQueue")
    assert publish.bisects
    new = {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "TASK#1"}}}}
    assert publish.matches(new)
    assert not publish.matches({**new, "eventName": "MODIFY"})
    assert not publish.matches({**new, "dynamodb": {"Keys": {"pk": {"S": "TITLE#1"}}}})
