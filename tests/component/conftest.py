"""Shared fixtures: moto, the emulator of `make run`, and a Redis server."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.events.models import EventBus

from shared.api import endpoint
from shared.users import passwords
from tests import handlers
from tests.aws import deploy, empty_tables, mocked_aws, template_resources
from tests.redis_servers import server, shared_server
from tools.events import command
from tools.local.backends.environment import LOOPBACK
from tools.local.backends.process import Backends, BackendsConfig
from tools.stacks import Stack, deployed_stack, local_stack

__all__ = ["server", "shared_server"]


@pytest.fixture(scope="module")
def empty_aws() -> Iterator[Callable[[], None]]:
    """The template's tables, queues and secret in moto; yields the function that empties them."""
    with mocked_aws() as empty:
        yield empty


@pytest.fixture
def aws(empty_aws: Callable[[], None]) -> None:
    """The template's tables, queues and secret, empty, in moto."""
    empty_aws()


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap password hashes, for tests that are not about their cost."""
    quick = passwords._context.using(argon2__memory_cost=8, argon2__time_cost=1)
    monkeypatch.setattr(passwords, "_context", quick)


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def local_aws() -> Iterator[str]:
    """URL of the emulator that `make run` starts, with the template's resources."""
    backends = Backends()
    try:
        yield backends.configure(BackendsConfig(template_resources(), {}, {}, None, "none", LOOPBACK)).aws
    finally:
        backends.close()


@pytest.fixture
def emulated_dynamodb(local_aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the emulator, with empty tables and no notifications. Functions use the emulator, too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws)
    # Also messages that an earlier test received: they would be visible again after three minutes.
    boto3.client("sqs").purge_queue(QueueUrl="NotificationsQueue")
    client = boto3.client("dynamodb")
    empty_tables(client)
    return client


@pytest.fixture(params=["moto", "make run"])
def any_aws(request: pytest.FixtureRequest) -> str | None:
    """None for moto, or the URL of the emulator. A test runs on both, so that differences show."""
    return request.getfixturevalue("aws" if request.param == "moto" else "local_aws")  # type: ignore[no-any-return]


@pytest.fixture
def any_dynamodb(any_aws: str | None) -> Any:
    """A client of DynamoDB, whose tables are empty."""
    client = boto3.client("dynamodb", endpoint_url=any_aws)
    if any_aws:
        empty_tables(client)
    return client


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The boto3 clients of a stack, by service. A test puts a fake here to replace one."""
    clients: dict[str, Any] = {}
    make = Stack.client

    def client(stack: Stack, service: str) -> Any:
        if service not in clients:
            clients[service] = make(stack, service)
        return clients[service]

    monkeypatch.setattr(Stack, "client", client)
    return clients


@pytest.fixture(params=["AWS", "make run"])
def any_stack(
    request: pytest.FixtureRequest, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """A stack with empty queues and tables, in moto and in the emulator of `make run`."""
    if request.param == "AWS":
        # moto cannot resolve `!Ref` of an event bus.
        monkeypatch.setattr(EventBus, "physical_resource_id", property(lambda bus: bus.name), raising=False)
        with mock_aws(config={"core": {"reset_boto3_session": False}}):
            queues = ("NotificationsQueue", "NotificationsDeadLetterQueue")
            others = ("TasksTable", "HistoryTable", "UsersTable", "UnpublishedEventsBucket", "EventBus")
            deploy("a-stack", *queues, *others, StatusShards="1")
            yield deployed_stack("a-stack")
        return
    stack = local_stack(request.getfixturevalue("local_aws"))
    for url in stack.queues().values():
        stack.client("sqs").purge_queue(QueueUrl=url)
    empty_tables(stack.dynamodb)
    yield stack


@pytest.fixture
def operate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command of `tools.events` for a stack; returns its exit status, stdout and stderr.

    Time passes only while the command sleeps.
    """
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr(command, "time", clock)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "")  # the command sets it; this restores it

    def operate(main: Callable[[], int], stack: Stack, *arguments: str) -> tuple[int, str, str]:
        which = ["--endpoint-url", stack.endpoint_url] if stack.endpoint_url else ["--stack-name", stack.name]
        monkeypatch.setattr("sys.argv", ["make", *which, *arguments])
        return main(), *capsys.readouterr()

    return operate


@pytest.fixture
def log() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Returns the records that were logged during the test."""
    handler = endpoint.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    old = handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(old)


@pytest.fixture
def invoke(aws: None) -> Callable[..., dict[str, Any]]:
    """Invoke a function with its sample event."""
    return handlers.invoke
