"""The trash and the history of tasks over HTTP, and how purged tasks are cleaned up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from tests.contract.test_contract import assert_problem
from tests.local_stack import Client, Stack, await_condition, notified, sign_up, unique


def dynamodb(stack: Stack) -> Any:
    return boto3.client("dynamodb", endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])


def keeps_history(stack: Stack, task: dict[str, Any]) -> bool:
    answer = dynamodb(stack).query(
        TableName="HistoryTable",
        KeyConditionExpression="task_id = :task",
        ExpressionAttributeValues={":task": {"S": task["id"]}},
    )
    return bool(answer["Items"])


def test_a_deleted_task_is_restored_with_all_fields(user: Client) -> None:
    task = user.create(description="Room for 40", due_at=4_000_000_000, labels=["urgent"], assignee="me")
    tag = user("GET", f"/tasks/{task['id']}").headers["ETag"]
    assert user("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert_problem(user("GET", f"/tasks/{task['id']}"), 404)
    (deleted,) = (each for each in user("GET", "/trash?limit=100").json() if each["id"] == task["id"])
    assert {name: deleted[name] for name in task} == task
    assert deleted["expires_at"] == deleted["deleted_at"] + 30 * 24 * 60 * 60
    restored = user("POST", f"/trash/{task['id']}/restore/")
    assert restored.status_code == 200
    assert {**restored.json(), "updated_at": 0} == {**task, "updated_at": 0}
    assert restored.headers["ETag"] == user("GET", f"/tasks/{task['id']}").headers["ETag"]
    refused = user("PATCH", f"/tasks/{task['id']}", json={"title": "x"}, headers={"If-Match": tag})
    assert_problem(refused, 412)
    assert task["id"] in {each["id"] for each in user("GET", "/tasks").json()}
    assert_problem(user("POST", f"/trash/{task['id']}/restore"), 404)


def test_restoring_a_taken_title_is_refused_and_names_its_task(user: Client) -> None:
    task = user.create()
    user("DELETE", f"/tasks/{task['id']}")
    other = user.create(task["title"])
    refused = user("POST", f"/trash/{task['id']}/restore")
    assert assert_problem(refused, 409)["task_id"] == other["id"]
    title = {"title": unique("Another")}
    assert user("POST", f"/trash/{task['id']}/restore", json=title).json()["title"] == title["title"]


def test_the_trash_is_listed_page_by_page(user: Client) -> None:
    ids = {user.create()["id"] for _ in range(5)}
    for each in ids:
        user("DELETE", f"/tasks/{each}")
    seen, url = [], "/trash?limit=2"
    while url and not ids <= set(seen):
        response = user("GET", url)
        assert len(response.json()) <= 2
        seen += [task["id"] for task in response.json()]
        url = response.links.get("next", {}).get("url", "")
    assert ids <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_cursor_is_valid_for_one_list(user: Client) -> None:
    task = user.create()
    for _ in range(2):
        user.create()
    user("PATCH", f"/tasks/{task['id']}", json={"status": "COMPLETED"})
    paths = ("/tasks", "/trash", f"/tasks/{task['id']}/history")
    for _ in range(2):
        user("DELETE", f"/tasks/{user.create()['id']}")
    links = {path: user("GET", f"{path}?limit=1").links["next"]["url"] for path in paths}
    for path in paths:
        for of, link in links.items():
            response = user("GET", f"{path}?{link.partition('?')[2]}")
            assert response.status_code == (200 if of == path else 422)


def test_a_history_names_users_and_keys(user: Client) -> None:
    name = user("GET", "/auth/me").json()["username"]
    key = user("POST", "/auth/keys", json={"name": "nightly report", "scope": "write"}).json()["key"]
    task = user.create()
    Client(user.url, key)("PATCH", f"/tasks/{task['id']}", json={"status": "COMPLETED"})
    user("DELETE", f"/tasks/{task['id']}")
    changes = user("GET", f"/tasks/{task['id']}/history").json()
    assert [(each["type"], each["by"], each["key_of"]) for each in changes] == [
        ("task.deleted", name, None),
        ("task.updated", "nightly report", name),
        ("task.created", name, None),
    ]
    assert changes[1]["changes"] == {"status": ["PENDING", "COMPLETED"]}


def test_purging_a_task_deletes_its_history(user: Client, stack: Stack) -> None:
    task = user.create()
    assert_problem(user("DELETE", f"/trash/{task['id']}"), 404)
    user("DELETE", f"/tasks/{task['id']}")
    assert keeps_history(stack, task)
    assert user("DELETE", f"/trash/{task['id']}").status_code == 204
    for method, path in (
        ("GET", f"/tasks/{task['id']}/history"),
        ("POST", f"/trash/{task['id']}/restore"),
        ("DELETE", f"/trash/{task['id']}"),
    ):
        assert_problem(user(method, path), 404)
    stack.wait_for(rf'event published +type="task.purged" event_id="{task["id"]}:3"')
    await_condition(lambda: not keeps_history(stack, task))


def test_a_restore_is_not_notified_and_an_expired_task_is_purged(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    state = ("--state", str(tmp_path / "state.db"))
    stack = start_stack(*state)
    user = sign_up(stack.url)
    restored, gone = user.create("Restored"), user.create("Gone")
    for task in (restored, gone):
        user("DELETE", f"/tasks/{task['id']}")
    user("POST", f"/trash/{restored['id']}/restore")
    dynamodb(stack).update_item(
        TableName="TasksTable",
        Key={"pk": {"S": f"TRASH#{gone['id']}"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1767225600"}},
    )
    stack.wait_for(rf'event published +type="task.restored" event_id="{restored["id"]}:3"')
    await_condition(lambda: notified(stack) == {"Restored": 1, "Gone": 1})
    stack.stop()
    again = start_stack(*state)
    again.wait_for(rf'event published +type="task.purged" event_id="{gone["id"]}:3"')
    await_condition(lambda: not keeps_history(again, gone))
    assert keeps_history(again, restored)
    again.stop()
    assert notified(stack, again) == {"Restored": 1, "Gone": 1}
