"""What these tests share: moto, the emulator of `make run`, and a Redis server."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from shared.api import endpoint
from tests import handlers
from tests.aws import empty_tables, mocked_aws, template_resources
from tests.redis_servers import server, shared_server
from tools.local.backends.environment import LOOPBACK
from tools.local.backends.process import Backends, BackendsConfig

__all__ = ["server", "shared_server"]


@pytest.fixture(scope="module")
def empty_aws() -> Iterator[Callable[[], None]]:
    """The template's tables, queues and secret in moto, and what empties them."""
    with mocked_aws() as empty:
        yield empty


@pytest.fixture
def aws(empty_aws: Callable[[], None]) -> None:
    """The template's tables, queues and secret, empty, in moto."""
    empty_aws()


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def local_aws() -> Iterator[str]:
    """The URL of the AWS that `make run` starts, with the template's resources."""
    backends = Backends()
    try:
        yield backends.configure(BackendsConfig(template_resources(), {}, {}, None, "none", LOOPBACK)).aws
    finally:
        backends.close()


@pytest.fixture(params=["moto", "make run"])
def any_aws(request: pytest.FixtureRequest) -> str | None:
    """The URL of AWS, as the tests have it and as `make run` has it, so that a difference shows."""
    return request.getfixturevalue("aws" if request.param == "moto" else "local_aws")  # type: ignore[no-any-return]


@pytest.fixture
def any_dynamodb(any_aws: str | None) -> Any:
    """DynamoDB, its tables empty."""
    client = boto3.client("dynamodb", endpoint_url=any_aws)
    empty_tables(client)
    return client


@pytest.fixture
def log() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What is logged, from here on."""
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
