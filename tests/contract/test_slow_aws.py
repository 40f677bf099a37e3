"""While AWS does not respond, a request fails before its function times out, and says what is known."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests

from tests.local_stack import Client, Stack, processes_of, sign_up, unique
from tests.nightly import nightly


@pytest.fixture
def stack(start_stack: Callable[..., Stack]) -> Stack:
    return start_stack("--no-state")


@pytest.fixture
def paused(stack: Stack) -> Iterator[psutil.Process]:
    """The process of the stack's AWS; while it is stopped, AWS does not respond."""
    everything = processes_of(stack.process.pid)
    process = next(each for each in everything if "tools.local.backends" in each.cmdline())
    yield process
    process.send_signal(signal.SIGCONT)


def assert_unavailable(response: requests.Response) -> None:
    # A function that is killed at its timeout is a 500.
    assert response.status_code == 503, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "1"


@nightly  # slow, as it waits for real deadlines; component/test_aws.py tests them
def test_a_request_fails_before_its_function_times_out(stack: Stack, paused: psutil.Process) -> None:
    user, title = sign_up(stack.url), unique("Slow")
    task = user.create()
    key = {"Idempotency-Key": "slow"}
    paused.send_signal(signal.SIGSTOP)
    created = user("POST", "/tasks", json={"title": title}, headers=key)
    for response in (
        created,
        user("PATCH", f"/tasks/{task['id']}", json={"title": unique("Slower")}),
        user("GET", "/tasks?limit=7"),
        Client(stack.url)("POST", "/auth/login", data={"username": "ada", "password": "correct horse"}),
    ):
        assert_unavailable(response)
    assert "check whether the change was applied" in created.json()["detail"]
    paused.send_signal(signal.SIGCONT)
    # Whether or not the first try was applied, there is one such task.
    assert user("POST", "/tasks", json={"title": title}, headers=key).status_code == 201
    titles = [each["title"] for each in user("GET", "/tasks?limit=100&skip=0").json()]
    assert titles.count(title) == 1
