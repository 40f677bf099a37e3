"""Faults between functions and their dependencies: responses are true, and no change is half applied."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import Unavailable
from shared.tasks.indexes import StatusShards
from tests.aws import empty_tables
from tests.faults import ANYWHERE, FAULTS, Faults
from tests.handlers import LambdaContext, authorization, context_of, event, load_function
from tests.local_stack import await_condition
from tests.nightly import often
from tests.proxy import Network, Proxy
from tests.redis_servers import Server
from tools.migrations.check import problems

pytestmark = pytest.mark.usefixtures("quick_passwords")

Event = dict[str, Any]
Answer = dict[str, Any]
Call = Callable[[str, Event], Answer]

AUTHORIZED = [
    "change_password",
    "create_task",
    "create_webhook",
    "delete_task",
    "delete_webhook",
    "get_me",
    "get_task",
    "get_task_history",
    "list_tasks",
    "list_trash",
    "purge_task",
    "restore_task",
    "update_task",
]
ENDPOINTS = [*AUTHORIZED, "create_user", "login"]


@pytest.fixture
def dynamodb(emulated_dynamodb: Any) -> Any:
    return emulated_dynamodb


def call(function: str, sent: Event | None = None) -> Answer:
    answer: Answer = load_function(function).handler(sent or event(function), context_of(function))
    return answer


def request_of(function: str) -> Event:
    """A request that succeeds. Creates what the request needs."""
    if function in {"login", "change_password", "get_me"}:
        user = json.loads(call("create_user")["body"])
        sent = event(function)
        if function != "login":
            # The first generation is the user's id.
            sent["requestContext"]["authorizer"]["session"] = user["id"]
        return sent
    if "task_id" in (event(function)["pathParameters"] or {}):
        task_id = json.loads(call("create_task")["body"])["id"]
        if function in {"purge_task", "restore_task"}:
            call("delete_task", event("delete_task", pathParameters={"task_id": task_id}))
        return event(function, path=f"/tasks/{task_id}", pathParameters={"task_id": task_id})
    if "webhook_id" in (event(function)["pathParameters"] or {}):
        webhook_id = json.loads(call("create_webhook")["body"])["id"]
        return event(function, pathParameters={"webhook_id": webhook_id})
    return event(function)


def assert_answered(answer: Answer) -> None:
    """Check that a response is a success, or says to try again."""
    headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    if answer["statusCode"] >= 400:
        # 429: every attempt to count this sign-in conflicted with another.
        assert answer["statusCode"] in {503, 429}, answer["body"]
        assert headers["Content-Type"] == "application/problem+json"
        assert headers["Retry-After"] == "1"


def assert_consistent(client: Any) -> None:
    assert [each for each in problems(client, "TasksTable", StatusShards(), rate=10**6) if each] == []
    webhooks = client.scan(TableName="WebhooksTable")["Items"]
    counted = [int(item["count"]["N"]) for item in webhooks if "count" in item] or [0]
    assert counted == [sum("url" in item for item in webhooks)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("function", ENDPOINTS)
def test_an_endpoint_answers_whatever_happens_to_its_calls(
    function: str, fault: Any, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(None, monkeypatch)
    plans = ([fault, None], [None, fault], [fault], [None, fault, None], [None, None, fault])
    for number, plan in enumerate(plans[: often(2, 5)]):
        if number:
            empty_tables(dynamodb)
        sent = request_of(function)
        faults.then(*plan)
        assert_answered(call(function, sent))
        faults.then()
        assert_consistent(dynamodb)


@pytest.mark.parametrize("fault", ANYWHERE, ids=lambda fault: fault.__name__)
def test_the_authorizer_denies_nobody_because_of_a_fault(
    fault: Any, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("create_user")
    token = json.loads(call("login")["body"])["access_token"]
    sent = event("authorize", **authorization(f"Bearer {token}"))
    Faults(None, monkeypatch).then(fault)
    # API Gateway answers 503 to an error; it would cache a denial for minutes.
    with pytest.raises((BotoCoreError, ClientError, Unavailable)):
        call("authorize", sent)


class Notifications:
    """The path from the table to the notification, with Lambda's retries."""

    def __init__(self, dynamodb: Any, log: Callable[[], list[Answer]], call: Call) -> None:
        self._dynamodb, self._log, self._call = dynamodb, log, call
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.get_queue_url(QueueName="NotificationsQueue")["QueueUrl"]

    def publish(self) -> None:
        """Process a batch of the stream as Lambda does: retry from the failed record on."""
        tasks = [
            item
            for item in self._dynamodb.scan(TableName="TasksTable")["Items"]
            if item["pk"]["S"].startswith("TASK#")
        ]
        records = [
            {"dynamodb": {"SequenceNumber": str(number), "Keys": {"pk": item["pk"]}, "NewImage": item}}
            for number, item in enumerate(tasks)
        ]
        while records:
            failed = self._call("publish_task_events", {"Records": records})["batchItemFailures"]
            first = failed[0]["itemIdentifier"] if failed else None
            numbers = [each["dynamodb"]["SequenceNumber"] for each in records]
            records = records[numbers.index(first) :] if first else []

    def send(self) -> None:
        """Process the queue as Lambda does: deliver failed messages again."""
        while True:
            messages = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get(
                "Messages", []
            )
            if not messages:
                return
            template = event("send_notification")["Records"][0]
            records = [
                {**template, "messageId": each["MessageId"], "body": each["Body"]} for each in messages
            ]
            while records:
                self._expire_leases()
                failures = self._call("send_notification", {"Records": records})["batchItemFailures"]
                failed = {each["itemIdentifier"] for each in failures}
                records = [each for each in records if each["messageId"] in failed]
            for each in messages:
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])

    def _expire_leases(self) -> None:
        """Expire the leases of functions that died while they were sending."""
        for item in self._dynamodb.scan(TableName="NotifiedTable")["Items"]:
            if item["status"]["S"] == "INPROGRESS":
                self._dynamodb.update_item(
                    TableName="NotifiedTable",
                    Key={"id": item["id"]},
                    UpdateExpression="SET in_progress_expiration = :past",
                    ExpressionAttributeValues={":past": {"N": "0"}},
                )

    def sent(self) -> Counter[str]:
        return Counter(each["task_id"] for each in self._log() if each["message"] == "notification sent")


@pytest.mark.parametrize("seed", range(often(1, 10)))
def test_every_stored_task_is_notified_once(
    seed: int, dynamodb: Any, log: Callable[[], list[Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt of each call may fail, not both: a notification that cannot be recorded is repeated."""
    chance = random.Random(seed)  # noqa: S311 (a history that can be repeated)
    faults = Faults(None, monkeypatch)

    def call_among_faults(function: str, sent: Event) -> Answer:
        faults.then(*[each for _ in range(60) for each in (None, chance.choice([*ANYWHERE, None]))])
        try:
            return call(function, sent)
        finally:
            faults.then()

    for number in range(15):
        body = json.dumps({"title": f"Task {number}"})
        call_among_faults("create_task", event("create_task", body=body))
    assert_consistent(dynamodb)
    notifications = Notifications(dynamodb, log, call_among_faults)
    notifications.publish()
    notifications.publish()  # Lambda retries a batch whose response was lost
    notifications.send()
    items = dynamodb.scan(TableName="TasksTable")["Items"]
    stored = [item["id"]["S"] for item in items if item["pk"]["S"].startswith("TASK#")]
    assert len(stored) >= 10
    assert notifications.sent() == Counter(stored)


class TestNetworkFaults:
    @pytest.fixture
    def aws(self, local_aws: str, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
        proxy = Proxy(local_aws)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy
        proxy.close()

    @pytest.fixture
    def redis(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
        proxy = Proxy(server.url)
        monkeypatch.setenv("REDIS_URL", proxy.url)
        yield proxy
        proxy.close()

    @pytest.mark.parametrize(
        "network", [Network.RESETS, Network.LOSES_ANSWERS, Network.CUTS_ANSWERS], ids=lambda each: each.value
    )
    def test_a_retried_request_creates_one_task_despite_a_failing_connection_to_aws(
        self, network: Network, aws: Proxy, dynamodb: Any
    ) -> None:
        sent = event("create_task")
        sent["headers"] |= {"Idempotency-Key": "once"}
        sent["multiValueHeaders"] |= {"Idempotency-Key": ["once"]}
        aws.network = network
        assert_answered(call("create_task", sent))
        aws.network = Network.WELL
        assert call("create_task", sent)["statusCode"] == 201
        assert_consistent(dynamodb)
        assert len(json.loads(call("list_tasks")["body"])) == 1

    @pytest.mark.parametrize("network", [each for each in Network if each is not Network.WELL])
    def test_a_failing_connection_to_redis_shows_in_no_response(
        self, network: Network, redis: Proxy, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def titles() -> list[str]:
            answer = pages.handler(event("list_tasks"), LambdaContext())
            assert answer["statusCode"] == 200
            return [task["title"] for task in json.loads(answer["body"])]

        pages = load_function("list_tasks")
        monkeypatch.setattr(pages.pages._cache, "_retry_after", 0)
        expected: list[str] = []
        for number in range(3):
            redis.network = Network.WELL
            assert titles() == expected
            redis.network = network
            title = f"Task {number}"
            created = call("create_task", event("create_task", body=json.dumps({"title": title})))
            assert created["statusCode"] == 201
            expected.insert(0, title)
            assert titles() == expected
            redis.network = Network.WELL
            # Retried until it succeeds, as Lambda does: a busy machine may exceed the deadline.
            await_condition(lambda: call("invalidate_task_cache") == {"batchItemFailures": []})
            assert titles() == expected
