"""The built template, deployed by `sam deploy`: it serves the contract, is updated, and is deleted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.contract.test_clients import TestAccount, TestRetries, TestText  # noqa: F401 (they run here, too)
from tests.contract.test_contract import (  # noqa: F401
    TestCreate,
    TestDelete,
    TestDocs,
    TestList,
    TestRead,
    TestSignIn,
    TestSignUp,
    TestUpdate,
)
from tests.emulator.deployment import STACK, Emulator
from tests.local_stack import ROOT, Client, await_condition, unique
from tests.optional import needs_lambda_python, needs_redis
from tools.local.sam_local import architecture

pytestmark = [needs_lambda_python, needs_redis]


def test_the_smoke_test_finds_nothing_wrong(deployed: Emulator) -> None:
    command = [sys.executable, "-m", "tools.smoke", deployed.url, "--sign-up"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_task_is_notified_under_the_id_of_its_request(deployed: Emulator, user: Client) -> None:
    response = user("POST", "/tasks", json={"title": "Deployed"})
    request_id, task_id = response.headers["x-request-id"], response.json()["id"]

    def was_notified() -> bool:
        lines = [line for line in deployed.logged() if "notification sent" in line and task_id in line]
        return [json.loads(line)["correlation_id"] for line in lines] == [request_id]

    await_condition(was_notified)


def test_deletion_protection_requires_an_alarm_address(deployed: Emulator) -> None:
    command = ("samcli", "deploy", "--stack-name", "precious", "--region", "us-east-1", "--no-progressbar")
    output = deployed.run(*command, "--parameter-overrides", "DeletionProtection=true", status=1)
    assert "With DeletionProtection=true, alarms need a recipient. Add AlarmEmail=<address>" in output


def test_a_consumer_in_another_stack_sees_an_event_once(
    deployed: Emulator, user: Client, tmp_path: Path
) -> None:
    """The consumer is the one in docs/events.md."""
    document = (ROOT / "docs/events.md").read_text("utf-8")
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", document, re.DOTALL) if "Rule:" in block]
    template = tmp_path / "consumer.yaml"
    template.write_text(text)
    deployed.deploy(stack="consumer", template=str(template))
    title = user.create(unique("Consumed"))["title"]
    sqs, logs = deployed.client("sqs"), deployed.client("logs")
    url, function = (deployed.resource(name, stack="consumer") for name in ("Queue", "Function"))

    def printed() -> list[str]:
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:  # not called yet
            return []
        return [each["message"].strip() for each in events if "new task:" in each["message"]]

    await_condition(lambda: f"new task: {title}" in printed())
    for repeated in ("again", "last"):
        detail = {"id": f"{title}/{repeated}", "data": {"task": {"title": repeated}}}
        for _ in range(2):
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"detail": detail}))
    await_condition(lambda: "new task: last" in printed())
    assert sorted(printed()) == sorted(f"new task: {each}" for each in (title, "again", "last"))
    deployed.delete("consumer")


def test_a_failed_webhook_call_is_shown(user: Client) -> None:
    """The call fails with internet access and without, because no server accepts it."""
    webhook = {"url": "https://1.1.1.1/tasks", "events": ["task.created"]}
    path = f"/webhooks/{user('POST', '/webhooks', json=webhook).json()['id']}"
    user.create()
    await_condition(lambda: any(each["last_failure"] for each in user("GET", "/webhooks").json()))
    assert user("DELETE", path).status_code == 204


def test_tables_are_restored_in_place_without_events(deployed: Emulator, user: Client) -> None:
    """The emulator copies the current table, whatever the point in time, so the copies precede the loss."""
    changed, deleted = user.create(unique("Changed")), user.create(unique("Deleted"))
    same = user.create(unique("Same"))
    dynamodb = deployed.client("dynamodb")
    for table in map(deployed.resource, ("TasksTable", "HistoryTable")):
        copied = {"TargetTableName": f"{table}-restored-20260102T030405Z", "UseLatestRestorableTime": True}
        dynamodb.restore_table_to_point_in_time(SourceTableName=table, **copied)
    paths = {each["id"]: f"/tasks/{each['id']}" for each in (changed, deleted, same)}
    user("PATCH", paths[changed["id"]], json={"title": unique("Lost")})
    user("DELETE", paths[deleted["id"]])
    assert user("DELETE", f"/trash/{deleted['id']}").status_code == 204
    new = user.create(deleted["title"])  # the restore takes this title back
    user("GET", "/tasks")

    def published() -> list[str]:
        lines = [json.loads(line) for line in deployed.logged() if '"event published"' in line]
        return [line["event_id"] for line in lines]

    def refuses_writes() -> bool:
        response = user("POST", "/tasks", json={"title": unique("Refused")})
        return response.status_code in {429, 502}  # 502 in AWS; see bridge.py

    def serves_writes() -> bool:
        return user("PATCH", paths[same["id"]], json={"description": "after"}).status_code == 200

    await_condition(lambda: f"{new['id']}:1" in published())
    before = published()
    with ThreadPoolExecutor(1) as pool:
        command = ("tools.restore", "--stack-name", STACK, "--to", "2026-01-02T03:04:05Z", "--yes")
        restore = pool.submit(deployed.run, *command)
        await_condition(lambda: refuses_writes() or restore.done())
        assert refuses_writes(), restore.result()
        assert user("GET", paths[changed["id"]]).status_code == 200
        assert restore.result().endswith("writes are on again\n")

    for task in (changed, deleted):
        assert user("GET", paths[task["id"]]).json() == task
        assert [each["version"] for each in user("GET", f"{paths[task['id']]}/history").json()] == [1]
    assert user("GET", f"/tasks/{new['id']}").status_code == 404
    await_condition(lambda: changed in user("GET", "/tasks").json())
    assert new not in user("GET", "/tasks").json()
    assert "all is well" in deployed.run("tools.migrations.check", "--stack-name", STACK)
    assert serves_writes()
    # This event is published after any that the restore's writes would cause.
    await_condition(lambda: f"{same['id']}:2" in published())
    new_events = set(published()) - set(before)
    assert not [each for each in new_events if each.startswith((changed["id"], deleted["id"]))], new_events


def test_a_parameter_is_changed(deployed: Emulator, anyone: Client, user: Client) -> None:
    task = user.create()
    deployed.deploy(SignUp="disabled", CorsOrigin="https://app.example.com")
    account = {"username": "late", "password": "correct horse"}
    assert anyone("POST", "/auth/create", json=account).status_code == 403
    for path in ("/auth/me", "/nowhere"):
        response = anyone("GET", path)
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert user("GET", f"/tasks/{task['id']}").json() == task


def test_the_cache_is_switched_off(deployed: Emulator, user: Client) -> None:
    task = user.create()
    deployed.deploy(Cache="disabled")
    response = user("GET", "/tasks?limit=1")
    assert (response.headers["X-Cache"], response.json()) == ("off", [task])
    types = {
        each["ResourceType"]
        for page in deployed.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=STACK)
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] != "DELETE_COMPLETE"
    }
    assert not [kind for kind in types if kind.startswith(("AWS::EC2::", "AWS::ElastiCache::"))]


def test_a_new_stack_adopts_the_tables_of_a_deleted_one(deployed: Emulator, user: Client) -> None:
    task, username = user.create(), user("GET", "/auth/me").json()["username"]
    webhook = {"url": "https://1.1.1.1/tasks", "events": ["task.deleted"]}
    webhook_id = user("POST", "/webhooks", json=webhook).json()["id"]
    names = ("TasksTable", "UsersTable", "WebhooksTable", "HistoryTable")
    tasks, users, webhooks, history = kept = [deployed.resource(name) for name in names]
    deployed.delete(STACK)
    assert sorted(deployed.client("dynamodb").list_tables()["TableNames"]) == sorted(kept)
    assert deployed.client("lambda").list_functions()["Functions"] == []

    def adopt(tasks: str, users: str, status: int) -> str:
        tables = ("--tasks-table", tasks, "--users-table", users)
        others = ("--webhooks-table", webhooks, "--history-table", history)
        return deployed.run("tools.migrations.adopt", "--stack-name", STACK, *tables, *others, status=status)

    assert "is not a TasksTable" in adopt(users, tasks, status=1)
    assert "There is no table nowhere" in adopt("nowhere", users, status=1)
    adopt(tasks, users, status=0)
    assert "already" in adopt(tasks, users, status=1)
    deployed.deploy(Architecture=architecture(), Cache="disabled")
    assert [deployed.resource(name) for name in names] == kept
    form = {"username": username, "password": "correct horse"}
    token = Client(deployed.url)("POST", "/auth/login", data=form).json()["access_token"]
    again = Client(deployed.url, token)
    assert again("GET", f"/tasks/{task['id']}").json() == task
    assert [each["id"] for each in again("GET", "/webhooks").json()] == [webhook_id]
    new = again.create()
    await_condition(
        lambda: any("notification sent" in line and new["id"] in line for line in deployed.logged())
    )
