"""Webhooks over HTTP, with receivers on this machine: from a change of a task to a verified call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.local_stack import Client, Stack, await_condition, sign_up, unique
from tests.servers import QuietHandler, serving

TYPES = ["task.created", "task.updated", "task.deleted"]


class Receiver:
    """Records calls, and responds with the status that a test sets."""

    def __init__(self, status: int = 204) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.status = status
        self.may_answer = threading.Event()
        self.may_answer.set()
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((dict(self.headers), body))
                receiver.may_answer.wait(60)
                self.send_response(receiver.status)
                self.end_headers()

        self.handler = Handler

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]


@pytest.fixture
def receivers() -> Iterator[Any]:
    """Start receivers that end with the test; returns each with its URL."""
    with ExitStack() as stack:

        def start(**options: Any) -> tuple[Receiver, str]:
            receiver = Receiver(**options)
            stack.callback(receiver.may_answer.set)
            return receiver, stack.enter_context(serving(receiver.handler)) + "/tasks"

        yield start


@pytest.fixture
def owner(stack: Stack) -> Iterator[Client]:
    """A signed-in user whose webhooks are deleted after the test."""
    client = sign_up(stack.url)
    yield client
    for webhook in client("GET", "/webhooks").json():
        client("DELETE", f"/webhooks/{webhook['id']}")


def create(user: Client, url: str, events: list[str] = TYPES) -> dict[str, Any]:
    response = user("POST", "/webhooks", json={"url": url, "events": events})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def test_each_change_is_a_signed_call(owner: Client, receivers: Any) -> None:
    receiver, url = receivers()
    webhook = create(owner, url)
    task = owner.create(unique("Called"))
    owner("PATCH", f"/tasks/{task['id']}", json={"status": "COMPLETED"})
    owner("DELETE", f"/tasks/{task['id']}")

    def received() -> dict[str, str]:
        return {event["id"]: event["type"] for event in receiver.events() if event["subject"] == task["id"]}

    await_condition(lambda: len(received()) == 3)
    assert received() == {f"{task['id']}:{number}": kind for number, kind in enumerate(TYPES, 1)}
    for headers, body in receiver.calls:
        assert Verifier(webhook["secret"]).verify(body, headers)["id"] == headers["webhook-id"]


def test_a_silent_receiver_does_not_delay_others(owner: Client, receivers: Any) -> None:
    slow, slow_url = receivers()
    slow.may_answer.clear()
    quick, quick_url = receivers()
    for url in (slow_url, quick_url):
        create(owner, url, ["task.created"])
    titles = {owner.create(unique("Beside a slow one"))["title"] for _ in range(12)}
    await_condition(lambda: titles <= {event["data"]["task"]["title"] for event in quick.events()})


def test_a_webhook_that_responds_410_is_disabled_until_it_is_tested(owner: Client, receivers: Any) -> None:
    receiver, url = receivers(status=410)
    webhook = create(owner, url)
    owner.create(unique("Gone"))

    def listed() -> dict[str, Any]:
        (found,) = (each for each in owner("GET", "/webhooks").json() if each["id"] == webhook["id"])
        return found  # type: ignore[no-any-return]

    await_condition(lambda: not listed()["enabled"])
    assert listed()["last_failure"]["reason"] == "The webhook answered with the status 410."
    receiver.status = 200
    assert owner("POST", f"/webhooks/{webhook['id']}/test").status_code == 202
    await_condition(lambda: receiver.events()[-1]["type"] == "webhook.ping")
    assert listed()["enabled"]


def test_an_api_key_cannot_use_webhooks(owner: Client, stack: Stack) -> None:
    key = owner("POST", "/auth/keys", json={"name": "x", "scope": "write"}).json()["key"]
    assert Client(stack.url, key)("GET", "/webhooks").status_code == 403
