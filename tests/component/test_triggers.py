"""The pollers of the local stack behave like Lambda's event source mappings."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.events.models import EventPattern

from shared.event_sources import ROTATION, SCHEDULE, source_of
from tests.conftest import ROOT
from tests.emulated import forget_aws, start_aws
from tools.local.backends.resources import BUCKET
from tools.local.backends.sources import Sources
from tools.local.log_entries import DeliveryLogEntry
from tools.local.template import load_template
from tools.local.triggers.mappings import EventSourceMapping, queue_mappings, stream_mappings
from tools.local.triggers.poller import InvocationFailed
from tools.local.triggers.queue import QueuePoller
from tools.local.triggers.schedules import Schedule, Timers, schedules
from tools.local.triggers.stream import StreamPoller


class Function:
    """Records its batches, and fails for the bodies or keys in `bad`."""

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


class World:
    """A queue, a table with a stream, and a function that both trigger."""

    def __init__(self) -> None:
        self.aws = start_aws({"table": ["f"]}, {"queue": {"VisibilityTimeout": "60"}})
        self.aws.call(
            "DynamoDB_20120810.CreateTable", TableName="given-up", BillingMode="PAY_PER_REQUEST", **BUCKET
        )
        self.sources = Sources(self.aws)
        self.function = Function()
        self.log: list[DeliveryLogEntry] = []

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.aws.call("AmazonSQS.SendMessage", QueueUrl="queue", MessageBody=body)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.aws.call("DynamoDB_20120810.PutItem", TableName="table", Item={"pk": {"S": key}})

    def queue_poller(self, **settings: Any) -> QueuePoller:
        mapping = EventSourceMapping(function="f", source="queue", **{"batch_size": 10, **settings})
        return QueuePoller(mapping, self.sources, self.function, self.log.append)

    def stream_poller(self, tries: float = math.inf, **settings: Any) -> StreamPoller:
        """A poller that does not pause, and stops after so many failed tries."""
        mapping = EventSourceMapping(function="f", source="table", **{"batch_size": 10, **settings})
        poller = StreamPoller(mapping, self.sources, self.function, self.log.append)
        pauses = itertools.count(1)
        poller._stopping.wait = lambda _seconds: next(pauses) >= tries  # type: ignore[method-assign, assignment]
        return poller

    def counts(self) -> tuple[int, int]:
        """How many messages are in the queue, visible or in flight, and how many records were given up."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.call("AmazonSQS.GetQueueAttributes", QueueUrl="queue", AttributeNames=names)
        return sum(map(int, found["Attributes"].values())), len(self.given_up())

    def given_up(self) -> list[dict[str, Any]]:
        items = self.aws.call("DynamoDB_20120810.Scan", TableName="given-up")["Items"]
        return [json.loads(item["body"]["S"]) for item in items]


@pytest.fixture
def world() -> Iterator[World]:
    yield World()
    forget_aws()


class TestAQueue:
    def test_is_read_in_batches(self, world: World) -> None:
        world.send(*"abcde")
        poller = world.queue_poller(batch_size=2)
        while poller.poll():
            pass
        assert [len(batch) for batch in world.function.batches] == [2, 2, 1]
        assert world.counts() == (0, 0)
        assert [entry.size for entry in world.log] == [2, 2, 1]

    def test_a_batch_may_be_larger_than_one_receive(self, world: World) -> None:
        world.send(*map(str, range(25)))
        poller = world.queue_poller(batch_size=25, window=60)
        poller.poll()
        assert [len(batch) for batch in world.function.batches] == [25]

    def test_keeps_only_what_failed(self, world: World) -> None:
        world.send("good", "bad", "fine")
        world.function.bad = {"bad"}
        world.queue_poller(reports_failures=True).poll()
        assert world.counts() == (1, 0)
        assert world.log[0].failed == 1

    @pytest.mark.parametrize("answer", [{"batchItemFailures": [{"itemIdentifier": "?"}]}, "nonsense"])
    def test_keeps_all_when_the_response_is_invalid(self, world: World, answer: Any) -> None:
        world.send("a", "b")
        world.function.answer = answer
        world.queue_poller(reports_failures=True).poll()
        assert world.counts() == (2, 0)

    def test_keeps_all_when_the_function_fails(self, world: World) -> None:
        world.send("good", "bad")
        world.function.bad, world.function.raises = {"bad"}, True
        world.queue_poller().poll()
        assert world.counts() == (2, 0)

    def test_a_message_that_no_filter_matches_is_removed(self, world: World) -> None:
        world.send('{"kind": "a"}', '{"kind": "b"}', "no JSON")
        patterns = (EventPattern.load('{"body": {"kind": ["a"]}}'),)
        world.queue_poller(patterns=patterns).poll()
        assert world.function.batches == [['{"kind": "a"}']]
        assert world.counts() == (0, 0)


class TestAStream:
    def test_resumes_at_the_failed_record(self, world: World) -> None:
        world.put(*"abc")
        world.function.bad = {"b"}
        poller = world.stream_poller(reports_failures=True, retries=2, failures="given-up")
        poller.poll()
        assert world.function.batches == [["a", "b", "c"], ["b", "c"], ["b", "c"]]
        assert world.counts() == (0, 2)
        world.put("d")
        poller.poll()
        assert world.function.batches[-1] == ["d"]

    def test_bisecting_finds_the_bad_record(self, world: World) -> None:
        world.put(*"abcd")
        world.function.bad, world.function.raises = {"c"}, True
        world.stream_poller(bisects=True, retries=1, failures="given-up").poll()
        assert world.function.batches == [list("abcd"), list("ab"), list("cd"), ["c"], ["c"], ["d"]]
        (document,) = world.given_up()
        assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
        (record,) = json.loads(document["payload"])["Records"]
        assert record["dynamodb"]["NewImage"] == {"pk": {"S": "c"}}

    @pytest.mark.parametrize("settings", [{"reports_failures": True}, {"bisects": True}], ids=str)
    def test_handled_records_are_not_repeated_after_a_restart(
        self,
        world: World,
        settings: dict[str, Any],
    ) -> None:
        world.put(*"abcd")
        world.function.bad, world.function.raises = {"c"}, "bisects" in settings
        world.stream_poller(tries=3, retries=9, **settings).poll()
        assert world.function.batches[0] == list("abcd")
        world.function.batches, world.function.bad = [], set()
        world.stream_poller(retries=9, **settings).poll()
        assert world.function.batches == [["c", "d"]]

    def test_old_records_are_given_up(self, world: World) -> None:
        world.put("a")
        world.stream_poller(record_age=-5, failures="given-up").poll()
        assert world.function.batches == []
        assert world.counts() == (0, 1)

    def test_an_old_record_is_given_up_at_any_position(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The clock may have been set back between two records."""
        for ago in (0, 100):
            now = time.time() - ago
            with monkeypatch.context() as patch:
                patch.setattr(time, "time", lambda now=now: now)
                world.put(str(ago))
        world.stream_poller(record_age=50, failures="given-up").poll()
        assert world.function.batches == [["0"]]
        assert world.counts() == (0, 1)

    def test_a_given_up_record_is_not_given_up_again_after_a_restart(self, world: World) -> None:
        world.put(*"ab")
        world.function.bad, world.function.raises = {"a", "b"}, True
        settings: dict[str, Any] = {"bisects": True, "retries": 0, "failures": "given-up"}
        world.stream_poller(tries=2, **settings).poll()  # it stops after it gave up the first
        assert world.counts() == (0, 1)
        world.stream_poller(**settings).poll()
        assert world.counts() == (0, 2)

    def test_a_record_that_no_filter_matches_is_skipped(self, world: World) -> None:
        world.put("TASK#1", "TITLE#1", "TASK#2")
        patterns = (EventPattern.load('{"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "TASK#"}]}}}}'),)
        world.stream_poller(patterns=patterns).poll()
        assert world.function.batches == [["TASK#1", "TASK#2"]]

    @pytest.mark.parametrize(("latest", "seen"), [(False, [["old", "new"]]), (True, [["new"]])])
    def test_starts_at_the_configured_position(
        self,
        world: World,
        latest: bool,
        seen: list[list[str]],
    ) -> None:
        world.put("old")
        poller = world.stream_poller(starts_at_latest=latest)
        world.put("new")
        poller.poll()
        assert world.function.batches == seen

    def test_resumes_after_a_restart(self, world: World) -> None:
        world.put("before")
        world.stream_poller(starts_at_latest=True).poll()
        world.put(*"abc")
        world.stream_poller(starts_at_latest=True, batch_size=2).poll()
        world.stream_poller(starts_at_latest=True).poll()
        assert world.function.batches == [["a", "b"], ["c"]]

    def test_undelivered_records_are_delivered_after_a_restart(self, world: World) -> None:
        world.put(*"ab")
        world.function.bad = {"b"}
        world.stream_poller(tries=1, reports_failures=True).poll()
        world.function.bad = set()
        world.stream_poller().poll()
        assert world.function.batches == [["a", "b"], ["b"]]

    def test_nothing_is_skipped_if_a_given_up_record_cannot_be_stored(self, world: World) -> None:
        world.put(*"ab")
        world.function.bad, world.function.raises = {"a", "b"}, True
        poller = world.stream_poller(retries=0, failures="away")
        with pytest.raises(LookupError):
            poller.poll()
        world.function.bad = set()
        poller.poll()
        assert world.function.batches[-1] == ["a", "b"]


class TestStopping:
    def test_makes_no_further_calls(self, world: World) -> None:
        world.send("a")
        poller = world.queue_poller()
        poller.stop(deadline=0)
        poller.start()
        poller._thread.join(10)
        assert world.function.batches == []

    def test_lets_running_calls_end(self, world: World) -> None:
        begun, may_end = threading.Event(), threading.Event()

        def function(name: str, event: object) -> None:
            begun.set()
            may_end.wait(10)

        world.send("a")
        world.function = function  # type: ignore[assignment]
        poller = world.queue_poller()
        poller.start()
        assert begun.wait(10)
        threading.Timer(0.05, may_end.set).start()
        poller.stop(deadline=time.monotonic() + 10)
        assert world.counts() == (0, 0)


def test_the_mappings_come_from_the_template() -> None:
    template = load_template(ROOT / "template.yaml", {})
    queue = {each.function: each for each in queue_mappings(template)}["SendNotificationFunction"]
    assert queue.source == "NotificationsQueue"
    assert (queue.batch_size, queue.concurrency, queue.reports_failures) == (10, 2, True)
    publish = {each.function: each for each in stream_mappings(template)}["PublishTaskEventsFunction"]
    assert (publish.source, publish.failures) == ("TasksTable", "UnpublishedEventsBucket")
    assert publish.bisects
    writes = itertools.product(("INSERT", "MODIFY", "REMOVE"), ("TASK", "TITLE", "TRASH"))
    assert [
        (kind, item)
        for kind, item in writes
        if publish.matches({"eventName": kind, "dynamodb": {"Keys": {"pk": {"S": f"{item}#1"}}}})
    ] == [("INSERT", "TASK"), ("INSERT", "TRASH"), ("MODIFY", "TASK"), ("MODIFY", "TRASH")]
    expired = {"eventName": "REMOVE", "userIdentity": {"type": "Service"}}
    assert publish.matches({**expired, "dynamodb": {"Keys": {"pk": {"S": "TRASH#1"}}}})
    assert not publish.matches({**expired, "dynamodb": {"Keys": {"pk": {"S": "KEY#1"}}}})


def test_the_schedules_come_from_the_template() -> None:
    found = {each.function: each for each in schedules(load_template(ROOT / "template.yaml", {}))}
    remind, rotate, warm = (found[f"{name}Function"] for name in ("Remind", "RotateTokenKey", "Login"))
    assert [each.period for each in (remind, rotate, warm)] == [60, 30 * 86_400, 7 * 86_400]
    assert [each.is_on for each in (remind, rotate, warm)] == [True, True, False]
    assert [source_of(event) for event in remind.events()] == [SCHEDULE]
    assert [source_of(event) for event in rotate.events()] == [ROTATION] * 4
    warm = load_template(ROOT / "template.yaml", {"SnapStart": "PublishedVersions"})
    assert all(each.is_on for each in schedules(warm))


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(5 weeks)", "rate(x minutes)"])
def test_an_expression_that_is_not_a_rate_has_no_timer(expression: str) -> None:
    assert Schedule("Function", expression).period is None


def test_a_schedule_keeps_calling_whatever_fails() -> None:
    calls: list[Any] = []
    log: list[DeliveryLogEntry] = []
    thrice = threading.Event()

    def invoke(function: str, event: Any) -> None:
        calls.append((function, event["source"]))
        if len(calls) == 3:
            thrice.set()
        raise OSError("worse") if len(calls) == 2 else InvocationFailed("bad")

    class Often(Schedule):
        period = 0.01

    off = Schedule("Off", "rate(1 minute)", is_on=False)
    timers = Timers([Often("Function", "rate(1 minute)"), off], invoke, log.append)
    assert thrice.wait(10)
    assert not timers.call(off)
    timers.stop()
    made = len(calls)
    assert calls.count(("Off", "aws.events")) == 1
    assert [(each.source, each.failed) for each in log[:2]] == [("rate(1 minute)", 1)] * 2
    assert not timers.call(off)
    assert len(calls) == made


def test_schedules_can_be_turned_off() -> None:
    before = threading.active_count()
    Timers([Schedule("Function", "rate(1 minute)")], pytest.fail, pytest.fail, start=False)
    assert threading.active_count() == before
