"""What these tests share: moto, and a Redis server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from tests import handlers
from tests.aws import aws_with_resources
from tests.redis_servers import server, shared_server

__all__ = ["server", "shared_server"]


@pytest.fixture
def aws() -> Iterator[None]:
    """The template's tables, queues and secret, empty, in moto."""
    with aws_with_resources():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture
def invoke(aws: None) -> Callable[..., dict[str, Any]]:
    """Invoke a function with its sample event."""
    return handlers.invoke
