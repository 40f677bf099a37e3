"""The HTTP contract through `sam local start-api`: all but the answers that API Gateway gives itself."""

from __future__ import annotations

import signal

import docker
import pytest

from tests.contract.test_contract import (
    TestCreate,
    TestDelete,
    TestDocs,
    TestList,
    TestRead,
    TestSignIn,
    TestSignUp,
    TestUpdate,
)
from tests.local_stack import Client, Stack, await_condition
from tests.optional import needs_docker, needs_lambda_python

__all__ = [
    "TestCreate",
    "TestDelete",
    "TestDocs",
    "TestList",
    "TestRead",
    "TestSignIn",
    "TestSignUp",
    "TestUpdate",
]
pytestmark = [needs_docker, needs_lambda_python]


def test_the_authorizer_is_asked(user: Client, anyone: Client) -> None:
    assert user("GET", "/tasks").status_code == 200
    assert anyone("GET", "/tasks").status_code == 401
    assert Client(anyone.url, "garbage")("GET", "/tasks").status_code == 403


def test_a_page_comes_from_the_cache(user: Client) -> None:
    user.create()
    # Not at once where containers are so slow that the cache is left alone for a while.
    await_condition(lambda: user("GET", "/tasks?limit=3").headers["X-Cache"] == "hit")


def test_a_new_task_is_notified(stack: Stack, user: Client) -> None:
    task = user.create()
    stack.wait_for(rf'notification sent.*"{task["id"]}"')


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_container_is_left_behind(built: object, number: int) -> None:
    containers = docker.from_env().containers
    before = {container.id for container in containers.list()}
    stack = Stack("--no-state", "--docker")
    assert Client(stack.url)("GET", "/openapi.json").status_code == 200
    assert {container.id for container in containers.list()} > before
    stack.stop(number)
    await_condition(lambda: {container.id for container in containers.list()} <= before)
