"""From the table's stream through the bus and the queue to the notification, on the local stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.local_stack import Client, Stack, await_condition, notified, sign_up, unique
from tools.local import schedule
from tools.logs import __main__ as logs

StartStack = Callable[..., Stack]


@pytest.fixture
def project(project: Path) -> Path:
    """A copy of the project where a failed message is retried after a second, four times."""
    template = project / "template.yaml"
    text = template.read_text().replace("VisibilityTimeout: 180", "VisibilityTimeout: 1")
    template.write_text(text.replace("maxReceiveCount: 500", "maxReceiveCount: 5"))
    return project


def sqs(stack: Stack) -> Any:
    return boto3.client("sqs", endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])


def test_each_task_is_notified_once_despite_failed_creates_and_duplicate_messages(
    start_stack: StartStack,
) -> None:
    stack = start_stack("--no-state")
    user, queues = sign_up(stack.url), sqs(stack)
    for title in (twice := unique("Twice"), twice):
        body = json.dumps({"type": "task.created", "id": title, "task": {"id": "1", "title": title}})
        queues.send_message(QueueUrl="NotificationsQueue", MessageBody=body)
    titles = [unique("Notified") for _ in range(30)]

    def create_twice(title: str) -> list[int]:
        client = Client(user.url, user.token)
        return [client("POST", "/tasks", json={"title": title}).status_code for _ in range(2)]

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(create_twice, titles)) == [[201, 409]] * len(titles)
    user("PATCH", f"/tasks/{user.create(last := unique('Last'))['id']}", json={"status": "COMPLETED"})
    await_condition(lambda: notified(stack).keys() >= {*titles, twice, last})
    stack.stop()
    assert notified(stack) == dict.fromkeys([*titles, twice, last], 1)


def test_a_task_is_notified_and_listed_if_its_create_dies_after_the_write(
    start_stack: StartStack, project: Path
) -> None:
    stack = start_stack("--no-state", root=project)
    user = sign_up(stack.url)
    assert user("GET", "/tasks").json() == []
    module = project / "shared/tasks/transactions.py"
    whole = module.read_text()
    module.write_text(whole.replace("self._on_commit()", "__import__('os')._exit(1)"))
    title = unique("Orphan")
    assert user("POST", "/tasks", json={"title": title}).status_code >= 500
    module.write_text(whole)
    await_condition(lambda: notified(stack)[title] == 1)
    await_condition(lambda: [task["title"] for task in user("GET", "/tasks").json()] == [title])


def test_a_poison_message_becomes_a_dead_letter_and_the_others_are_notified_once(
    start_stack: StartStack, project: Path
) -> None:
    stack = start_stack("--no-state", root=project)
    queues = sqs(stack)
    titles = [unique("Beside poison") for _ in range(8)]
    good = [
        json.dumps({"type": "task.created", "id": title, "task": {"id": "1", "title": title}})
        for title in titles
    ]
    bodies = [*good[:4], "no JSON", *good[4:], '{"type": "unknown", "id": "x", "task": {}}']
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    queues.send_message_batch(QueueUrl="NotificationsQueue", Entries=entries)
    dead: list[Any] = []

    def both_are_dead() -> bool:
        answer = queues.receive_message(
            QueueUrl="NotificationsDeadLetterQueue",
            MessageSystemAttributeNames=["All"],
            MaxNumberOfMessages=10,
        )
        dead.extend(answer.get("Messages", []))
        return len(dead) == 2

    await_condition(both_are_dead)
    assert {message["Body"] for message in dead} == {bodies[4], bodies[9]}
    tries = [line for line in stack.lines if "from NotificationsQueue" in line and "failed" in line]
    assert 5 <= len(tries) <= 10, tries
    assert notified(stack) == dict.fromkeys(titles, 1)


def test_a_task_that_becomes_due_is_published_even_across_a_restart(
    start_stack: StartStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def call(stack: Stack, function: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["schedule", function, "--url", stack.url])
        return schedule.main(), *capsys.readouterr()

    state = ("--state", str(tmp_path / "state.db"))
    stack = start_stack(*state)
    command = [sys.executable, "-m", schedule.__name__, "RemindFunction", "--url", stack.url]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    user = sign_up(stack.url)
    user.create(due_at=1)
    due = user.create(due_at=int(time.time()) + 2)
    stack.stop()
    stack = start_stack(*state)
    await_condition(lambda: time.time() > due["due_at"])
    assert call(stack, "RemindFunction") == (0, "RemindFunction was called\n", "")
    stack.wait_for(rf'event published +type="task.due" event_id="{due["id"]}:due:{due["due_at"]}"')
    status, _, error = call(stack, "GetTaskNowFunction")
    assert (status, "has no schedule" in error) == (1, True)
    stack.stop()
    status, _, error = call(stack, "RemindFunction")
    assert (status, "start it with make run" in error) == (1, True)


def test_a_trace_follows_a_request_to_its_notification(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trace(request_id: str) -> tuple[int, list[list[str]]]:
        monkeypatch.setattr("sys.argv", ["logs", "trace", request_id, "--local", stack.url])
        return logs.main(), [re.split(" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]

    created = sign_up(stack.url)("POST", "/tasks", json={"title": unique("Traced")})
    request_id = created.headers["x-request-id"]
    await_condition(lambda: len(trace(request_id)[1]) == 4)  # with the header line
    status, (_, *entries) = trace(request_id)
    assert status == 0
    assert [entry[0] for entry in entries] == sorted(entry[0] for entry in entries)
    # A notification can be sent before the function that published its event logs that.
    assert sorted((entry[1], entry[-1]) for entry in entries) == [
        ("CreateTaskFunction", "answered"),
        ("PublishTaskEventsFunction", "event published"),
        ("SendNotificationFunction", "notification sent"),
    ]
    assert trace(request_id[:-1])[0] == 1
    foreign = requests.get(f"{stack.url}/_log/{request_id}", headers={"Origin": stack.url}, timeout=10)
    assert foreign.status_code == 404


def test_each_change_reaches_other_rules_on_the_bus(stack: Stack) -> None:
    user, queues, title = sign_up(stack.url), sqs(stack), unique("Published")
    events = boto3.client("events", endpoint_url=queues.meta.endpoint_url)
    queue = queues.create_queue(QueueName="Theirs")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["task-api"], "detail": {"data": {"task": {"title": [{"prefix": title}]}}}}
    events.put_rule(Name="theirs", EventBusName="EventBus", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="theirs", EventBusName="EventBus", Targets=[{"Id": "1", "Arn": arn}])
    user.create(unique("Does not match"))
    task = user.create(title)
    user("PATCH", f"/tasks/{task['id']}", json={"status": "COMPLETED"})
    user("DELETE", f"/tasks/{task['id']}")
    stack.wait_for(rf'event published +type="task.deleted" event_id="{task["id"]}:3"')
    messages = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    received = [json.loads(message["Body"])["detail"] for message in messages]
    name = user("GET", "/auth/me").json()["username"]
    assert [(each["type"], each["id"], each["data"]["by"]) for each in received] == [
        ("task.created", f"{task['id']}:1", name),
        ("task.updated", f"{task['id']}:2", name),
        ("task.deleted", f"{task['id']}:3", name),
    ]
    assert received[1]["data"]["changes"] == {"status": ["PENDING", "COMPLETED"]}
