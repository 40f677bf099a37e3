"""What was acknowledged outlives the local stack, however it ends."""

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
    """Kill every process of a stack, as a machine that loses its power does."""
    for process in processes_of(stack.process.pid):
        with suppress(psutil.NoSuchProcess):  # it ended by itself when the one before was killed
            process.kill()
    stack.process.wait(10)


def await_notifications(stack: Stack, number: int) -> None:
    """Wait until so many notifications are sent.

    By day, a batch that was being sent when its function was killed need not be: others refuse it while that
    function could still run, and send it minutes later.
    """
    dynamodb = boto3.client("dynamodb", endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])

    def are_sent() -> bool:
        items = dynamodb.scan(TableName="NotifiedTable")["Items"]
        sent = sum(item["status"]["S"] == "COMPLETED" for item in items)
        return len(items) >= number and sent >= number - often(10, 0)

    await_condition(are_sent, timeout=often(60, 300))


def test_a_kill_under_load_loses_nothing_and_all_is_notified(start_stack: StartStack, tmp_path: Path) -> None:
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
    # The first stack may not have printed its last lines; the table of notified events has all.
    await_notifications(second, len(acknowledged))
    # What was being sent when it was killed may be sent again; no sender can exclude that.
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
    assert len(sent) < len(bodies), "nothing was left to deliver"

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


def test_an_unknown_state_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_text('{"name": "task-api"}')
    assert_one_line(run("--port", "0", "--state", str(file)), "is damaged", "Move it away")
    assert file.read_text() == '{"name": "task-api"}'
    assert_one_line(run("--port", "0", "--state", str(tmp_path)), "Is a directory", "--no-state")
