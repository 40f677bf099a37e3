"""Acknowledged writes survive every end of the local stack, even a kill."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import requests

from tests.contract.test_stack import assert_one_line, run
from tests.local_stack import Client, Stack, await_condition, notified, processes_of, sign_up, unique
from tests.nightly import often

StartStack = Callable[..., Stack]


def kill_whole(stack: Stack) -> None:
    """Kill every process of a stack, as a power failure does."""
    for process in processes_of(stack.process.pid):
        with suppress(psutil.NoSuchProcess):  # it ended when another process was killed
            process.kill()
    stack.process.wait(10)


def await_notifications(stack: Stack, number: int) -> None:
    """Wait until this many notifications are sent.

    Outside of nightly runs, the batch of a killed function may be missing: other functions refuse it until
    the killed one would have timed out, and send it minutes later.
    """
    dynamodb = boto3.client("dynamodb", endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])

    def are_sent() -> bool:
        items = dynamodb.scan(TableName="NotifiedTable")["Items"]
        sent = sum(item["status"]["S"] == "COMPLETED" for item in items)
        return len(items) >= number and sent >= number - often(10, 0)

    await_condition(are_sent, timeout=often(60, 300))


def test_a_kill_under_load_loses_no_task_and_no_notification(start_stack: StartStack, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    first = start_stack("--state", state)
    user = sign_up(first.url)
    acknowledged: list[dict[str, Any]] = []

    def create_until_killed() -> None:
        client = Client(user.url, user.token)
        while True:
            try:
                acknowledged.append(client.create(unique("Before the kill")))
            except requests.RequestException:
                return

    clients = [threading.Thread(target=create_until_killed) for _ in range(3)]
    for client in clients:
        client.start()
    await_condition(lambda: len(acknowledged) >= 60 and bool(notified(first)))
    kill_whole(first)
    for client in clients:
        client.join(30)

    second = start_stack("--state", state)
    user.url = second.url
    assert [user("GET", f"/tasks/{task['id']}").json() for task in acknowledged] == acknowledged
    # The killed stack may not have printed its last lines; the table of notified events is complete.
    await_notifications(second, len(acknowledged))
    # Notifications in flight at the kill may be sent twice; no sender can prevent that.
    again = [title for title, count in notified(first, second).items() if count > 1]
    assert len(again) <= 10


def test_waiting_messages_are_delivered_after_a_restart(start_stack: StartStack, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    first = start_stack("--state", state)
    bodies = [
        json.dumps({"type": "task.created", "id": str(n), "task": {"id": "1", "title": str(n)}})
        for n in range(400)
    ]
    sqs = boto3.client("sqs", endpoint_url=first.wait_for(r"AWS\s+(http://\S+)")[1])
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
        sqs.send_message_batch(QueueUrl="NotificationsQueue", Entries=entries)  # type: ignore[arg-type]
    assert first.stop() == 0
    sent = notified(first)
    assert len(sent) < len(bodies), "all messages were delivered before the restart: send more"

    second = start_stack("--state", state)
    await_condition(lambda: len(notified(first, second)) == len(bodies), timeout=100)
    assert set(notified(first, second).values()) == {1}


def test_writes_that_cannot_be_stored_are_refused(start_stack: StartStack, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = start_stack("--state", str(folder / "state.db"))
    user = sign_up(first.url)
    before = user.create()
    shutil.rmtree(folder)
    folder.write_text("in the way")
    refused = user("POST", "/tasks", json={"title": "Refused"})
    assert refused.status_code == 503
    assert first.wait_for(r"warning: .*state.db cannot be written: .*\. Writes are refused until it can\.")
    assert user("GET", "/tasks").json() == [before]
    folder.unlink()
    after = user.create()
    assert first.wait_for(r"state.db can be written again")
    kill_whole(first)
    user.url = start_stack("--state", str(folder / "state.db")).url
    assert user("GET", "/tasks").json() == [after, before]


def test_an_unknown_state_file_is_refused_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_text('{"name": "task-api"}')
    assert_one_line(run("--port", "0", "--state", str(file)), "is damaged", "Move it away")
    assert file.read_text() == '{"name": "task-api"}'
    assert_one_line(run("--port", "0", "--state", str(tmp_path)), "Is a directory", "--no-state")
