"""The API through `sam local start-api`: each route, and the tests of what clients rely on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing

import docker
import pytest

from tests.contract.test_clients import (  # noqa: F401 (they run here, too)
    TestAccount,
    TestHttp,
    TestOAuth,
    TestOtherOrigins,
    TestRetries,
    TestText,
)
from tests.local_stack import Client, Stack, await_condition
from tests.optional import needs_docker, needs_lambda_python
from tests.smoke import SMOKE, smoke

pytestmark = [needs_docker, needs_lambda_python]


def test_every_route_responds(stack: Stack) -> None:
    assert smoke(stack.url) == {route: request.status for route, request in SMOKE.items()}


def test_the_authorizer_is_called(user: Client, anyone: Client) -> None:
    assert user("GET", "/tasks").status_code == 200
    assert anyone("GET", "/tasks").status_code == 401  # before the authorizer
    assert Client(anyone.url, "garbage")("GET", "/tasks").status_code == 403  # by its policy


def test_a_refused_request_is_a_problem(user: Client) -> None:
    response = user("POST", "/tasks", json={"title": ""})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "title")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_page_comes_from_the_cache(user: Client) -> None:
    user.create()
    # Not always at once, because slow containers can open the cache's circuit breaker.
    await_condition(lambda: user("GET", "/tasks?limit=3").headers["X-Cache"] == "hit")


def test_a_new_task_is_notified(stack: Stack, user: Client) -> None:
    task = user.create()
    stack.wait_for(rf'notification sent.*"{task["id"]}"')


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as engine:
        yield engine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_container_is_left_behind(built: object, engine: docker.DockerClient, number: int) -> None:
    def containers() -> set[str]:
        return {container.id for container in engine.containers.list()}

    before = containers()
    stack = Stack("--no-state", "--docker")
    assert Client(stack.url)("GET", "/openapi.json").status_code == 200
    assert containers() > before
    stack.stop(number)
    await_condition(lambda: containers() <= before)
