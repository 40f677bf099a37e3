"""Webhooks: how users manage them, and how deliveries are signed, retried and dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError

from shared.errors import TooManyWebhooks, WebhookNotFound
from shared.webhooks.call import Answer, CallFailed
from shared.webhooks.delivery import PAUSES, Deliverer, Delivery
from shared.webhooks.store import MAX_WEBHOOKS, WebhookStore
from shared.webhooks.webhook import OVERLAP
from tests.handlers import event, invoke

URL = "https://example.com/tasks"
EVENT = json.loads(event("deliver_webhook")["Records"][0]["body"])["event"]


def clock(time: Callable[[], datetime]) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return time()

    return Clock


class World:
    """A webhook, a receiver whose responses a test sets, and a clock that a test moves."""

    def __init__(self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        self.answers: list[int | Exception] = []
        """The statuses of the next responses; then 200."""
        self.calls: list[dict[str, str]] = []
        for module in ("delivery", "store"):
            monkeypatch.setattr(f"shared.webhooks.{module}.time", self)
        monkeypatch.setattr("shared.webhooks.delivery.datetime", clock(self.utc))
        monkeypatch.setattr("shared.webhooks.delivery.call", self._receive)
        self.store = WebhookStore(dynamodb)
        self.deliverer = Deliverer(self.store)
        webhook, self.secret = self.store.create(URL, ["task.created"], "ada")
        self.delivery = Delivery(webhook.id, EVENT, None, receives=1, sent_at=self.now)
        self.bodies: list[bytes] = []

    def time(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def _receive(self, url: str, headers: dict[str, str], body: bytes, *, to_loopback: bool) -> Answer:
        assert (url, to_loopback) == (URL, False)
        self.calls.append(headers)
        self.bodies.append(body)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, "so there" if answer >= 400 else "")

    def deliver(self, **changes: Any) -> int | None:
        return self.deliverer.deliver(replace(self.delivery, **changes))

    def webhook(self) -> Any:
        (webhook,) = self.store.all()
        return webhook


@pytest.fixture
def world(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(dynamodb, monkeypatch)


def accepts(secret: str, headers: dict[str, str], body: bytes, at: datetime) -> bool:
    """Whether a receiver with this secret accepts the call at this time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("standardwebhooks.webhooks.datetime", clock(lambda: at))
        try:
            return bool(Receiver(secret).verify(body, headers) == json.loads(body))
        except WebhookVerificationError:
            return False


def test_calls_have_signatures_of_standard_webhooks(world: World) -> None:
    assert world.deliver() is None
    (headers,), (body,), now = world.calls, world.bodies, world.utc()
    assert json.loads(body) == EVENT
    assert headers["webhook-id"] == EVENT["id"]
    assert accepts(world.secret, headers, body, now)
    assert not accepts("whsec_" + "A" * 32, headers, body, now)
    assert not accepts(world.secret, headers, body.replace(b"venue", b"house"), now)
    assert not accepts(world.secret, {**headers, "webhook-id": "another"}, body, now)
    assert not accepts(world.secret, headers, body, now + timedelta(minutes=6))


def test_all_secrets_of_the_last_day_sign_however_often_they_were_replaced(world: World) -> None:
    _, lost = world.store.rotate_secret(world.delivery.webhook_id)
    _, new = world.store.rotate_secret(world.delivery.webhook_id)
    world.deliver()
    for secret in (world.secret, lost, new):
        assert accepts(secret, world.calls[0], world.bodies[0], world.utc())
    world.now += OVERLAP
    world.deliver()
    assert not accepts(world.secret, world.calls[1], world.bodies[1], world.utc())
    assert accepts(new, world.calls[1], world.bodies[1], world.utc())


def test_a_failing_webhook_is_retried_after_each_pause_and_then_disabled(world: World) -> None:
    world.answers = [500, CallFailed("The webhook's host has no address."), *[301] * 6]
    pauses = []
    for receives in range(1, 9):
        assert world.webhook().enabled
        pause = world.deliver(receives=receives)
        pauses.append(pause)
        world.now += pause or 0
    assert pauses == [*PAUSES, None]
    webhook = world.webhook()
    assert not webhook.enabled
    assert webhook.last_failure.at == int(world.now)
    assert webhook.last_failure.reason == "The webhook answered with the status 301."
    assert world.deliver() is None
    assert len(world.calls) == 8


def test_a_gone_webhook_is_disabled_at_once(world: World, log: Callable[[], Any]) -> None:
    world.answers = [410]
    assert world.deliver() is None
    assert not world.webhook().enabled
    assert world.webhook().last_failure.reason == "The webhook answered with the status 410. so there"
    assert "so there" not in json.dumps(log())  # it could repeat secrets of the URL


def test_other_deliveries_of_a_failing_webhook_wait_until_it_recovers(world: World) -> None:
    world.answers = [500]
    assert world.deliver() == PAUSES[0]
    world.now += 2
    assert [world.deliver() for _ in range(3)] == [3, 3, 3]
    assert len(world.calls) == 1
    world.now += 3
    assert [world.deliver() for _ in range(3)] == [None, None, None]
    assert len(world.calls) == 4
    assert (world.webhook().failures, world.webhook().paused_until) == (0, 0)


def test_one_delivery_at_a_time_probes_a_failing_webhook(world: World) -> None:
    world.answers = [500]
    world.now += world.deliver() or 0
    others: list[int | None] = []

    def meanwhile(*_call: object, **_options: object) -> Answer:
        others.append(world.deliver())
        return Answer(500, "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.webhooks.delivery.call", meanwhile)
        assert world.deliver(receives=2) == PAUSES[1]
    assert others == [20]
    assert world.webhook().failures == 2


def test_of_two_concurrent_probes_one_is_put_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.answers = [500]
    world.now += world.deliver() or 0
    found = world.store.find(world.delivery.webhook_id)
    assert found
    world.store.note(found[0], paused_until=int(world.now) + 20)
    monkeypatch.setattr(world.store, "find", lambda _webhook_id: found)  # read before the other probe began
    assert world.deliver() == 20
    assert len(world.calls) == 1


def test_concurrent_failures_count_once(world: World) -> None:
    def meanwhile(*_call: object, **_options: object) -> Answer:
        patch.undo()
        world.answers = [500]
        assert world.deliver() == PAUSES[0]
        return Answer(500, "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.webhooks.delivery.call", meanwhile)
        assert world.deliver() == PAUSES[0]
    assert world.webhook().failures == 1


def test_an_event_that_alone_fails_is_retried_with_growing_pauses_and_dropped(world: World) -> None:
    pauses = []
    for receives in range(1, 10):
        world.answers = [400]
        pause = world.deliver(receives=receives)
        pauses.append(pause)
        world.now += pause or PAUSES[0]
        assert world.deliver(sent_at=world.now) is None  # another event
    assert pauses == [*PAUSES[:4], *[PAUSES[3]] * 5]
    assert world.webhook().enabled
    world.now += 3 * 86_400
    world.answers = [400]
    assert world.deliver(receives=10) is None


def test_an_event_with_many_waits_is_still_retried_soon(world: World) -> None:
    world.answers = [500]
    assert world.deliver(receives=100) == PAUSES[3]


def test_deliveries_resume_soon_after_a_webhook_recovers(world: World) -> None:
    for receives in range(1, 8):
        world.answers = [500]
        world.now += world.deliver(receives=receives) or 0
    assert world.webhook().paused_until >= world.now
    world.now = world.webhook().paused_until - PAUSES[-1]
    assert world.deliver() == 15 * 60


def test_a_pause_ends_although_the_clock_was_set_back(world: World) -> None:
    world.answers = [500]
    world.deliver()
    world.now -= 30 * 86_400
    assert world.deliver() is None
    assert len(world.calls) == 2


def test_enabling_a_webhook_during_its_last_failing_call_keeps_the_event(world: World) -> None:
    def meanwhile(*_call: object, **_options: object) -> Answer:
        world.store.switch_on(world.delivery.webhook_id)
        return Answer(410, "")

    with pytest.MonkeyPatch.context() as patch:
        world.answers = [500]
        world.now += world.deliver() or 0
        patch.setattr("shared.webhooks.delivery.call", meanwhile)
        assert world.deliver() == PAUSES[0]
    assert world.webhook().enabled


def test_deliveries_of_a_deleted_webhook_are_dropped(world: World) -> None:
    world.store.delete(world.delivery.webhook_id)
    assert world.deliver() is None
    assert world.calls == []
    with pytest.raises(WebhookNotFound):
        world.store.delete(world.delivery.webhook_id)


def test_a_test_enables_the_webhook_and_sends_a_ping(world: World) -> None:
    world.answers = [410]
    world.deliver()
    path = {"pathParameters": {"webhook_id": world.delivery.webhook_id}}
    assert invoke("test_webhook", **path)["statusCode"] == 202
    assert world.webhook().enabled
    (message,) = boto3.client("sqs").receive_message(QueueUrl="WebhookDeliveriesQueue")["Messages"]
    sample = event("deliver_webhook")["Records"][0]
    assert world.deliverer.deliver(Delivery.from_record({**sample, "body": message["Body"]})) is None
    assert json.loads(world.bodies[-1])["type"] == "webhook.ping"
    for webhook_id in ("COUNT", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"):
        assert invoke("test_webhook", pathParameters={"webhook_id": webhook_id})["statusCode"] == 404


def test_each_event_goes_to_enabled_subscribers(world: World) -> None:
    wanted, _ = world.store.create(URL, ["task.deleted", "task.created"], "ada")
    world.store.create(URL, ["task.deleted"], "ada")
    off, _ = world.store.create(URL, ["task.created"], "ada")
    world.store.note(off, enabled=False)
    assert invoke("fan_out_webhooks") == {"batchItemFailures": []}
    sqs = boto3.client("sqs")
    messages = sqs.receive_message(QueueUrl="WebhookDeliveriesQueue", MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(message["Body"]) for message in messages]
    assert {body["webhook_id"] for body in bodies} == {world.delivery.webhook_id, wanted.id}
    assert [body["event"] for body in bodies] == [EVENT, EVENT]


def test_concurrent_creates_make_at_most_25(emulated_dynamodb: Any) -> None:
    store = WebhookStore(emulated_dynamodb)

    def create(_number: int) -> bool:
        try:
            store.create(URL, ["task.created"], "ada")
        except TooManyWebhooks:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(create, range(MAX_WEBHOOKS + 10))) == MAX_WEBHOOKS
    store.delete(store.all()[3].id)
    assert [create(1), create(2)] == [True, False]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com/", "https://"),
        ("https://ada:secret@1.1.1.1/", "without a username"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://localhost/", "not public"),
        ("https://nowhere.invalid/", "no address"),
        ("https://" + "x" * 2000, "at most 2000"),
        ("ftp://example.com", "pattern"),
    ],
)
def test_a_forbidden_url_is_refused(invoke: Callable[..., dict[str, Any]], url: str, message: str) -> None:
    answer = invoke("create_webhook", body=json.dumps({"url": url, "events": ["task.created"]}))
    assert answer["statusCode"] == 422
    (error,) = json.loads(answer["body"])["errors"]
    assert error["field"] == "url"
    assert message in error["message"]


@pytest.mark.parametrize("events", [[], ["task.created"] * 2, ["task.closed"], "task.created", None])
def test_event_types_are_valid_and_unique(invoke: Callable[..., dict[str, Any]], events: Any) -> None:
    answer = invoke("create_webhook", body=json.dumps({"url": "https://1.1.1.1/", "events": events}))
    assert answer["statusCode"] == 422


def test_a_secret_is_shown_once(invoke: Callable[..., dict[str, Any]], log: Callable[[], Any]) -> None:
    created = json.loads(invoke("create_webhook")["body"])
    path = {"pathParameters": {"webhook_id": created["id"]}}
    rotated = json.loads(invoke("rotate_webhook_secret", **path)["body"])
    listed = invoke("list_webhooks")["body"]
    assert created["secret"] != rotated["secret"]
    for secret in (created["secret"], rotated["secret"]):
        assert secret.startswith("whsec_")
        assert secret not in listed + json.dumps(log())
    assert json.loads(listed) == [{name: created[name] for name in created if name != "secret"}]
