"""The history of a task: what is written with each change, how it is read, and how it is deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared import aws
from shared.errors import TaskNotFound, TitleTaken, Unavailable
from shared.tasks.history import TaskHistory
from shared.tasks.store import TaskStore
from shared.tasks.task import Author, Task, TaskStatus
from shared.tasks.trash import Trash
from tests.handlers import event, invoke
from tests.tasks import changing, new_task

ADA = Author("Ada", "request-1")
ROBOT = Author("grace", "request-2", "nightly report")


@pytest.fixture
def store(dynamodb: Any) -> TaskStore:
    return TaskStore(lambda: None)


@pytest.fixture
def history(dynamodb: Any) -> TaskHistory:
    return TaskHistory()


@pytest.fixture
def task(store: TaskStore) -> Task:
    return store.create(new_task(author=ADA)).task


def read(task_id: str, **query: list[str]) -> dict[str, Any]:
    answer = invoke(
        "get_task_history",
        pathParameters={"task_id": task_id},
        multiValueQueryStringParameters=query,
    )
    return {**answer, "body": json.loads(answer["body"])}


def test_the_history_lists_each_change_and_its_user_newest_first(store: TaskStore, task: Task) -> None:
    store.update(task.id, changing(status=TaskStatus.COMPLETED, description="one litre"), author=ROBOT)
    store.delete(task.id, author=ADA)
    answer = read(task.id)
    assert answer["statusCode"] == 200
    for change in answer["body"]:
        assert change.pop("at") in range(task.created_at // 10**6, task.created_at // 10**6 + 60)
    assert answer["body"] == [
        {"version": 3, "by": "Ada", "key_of": None, "type": "task.deleted", "changes": {}},
        {
            "version": 2,
            "by": "nightly report",
            "key_of": "grace",
            "type": "task.updated",
            "changes": {"status": ["PENDING", "COMPLETED"], "description": [None, "one litre"]},
        },
        {
            "version": 1,
            "by": "Ada",
            "key_of": None,
            "type": "task.created",
            "changes": {"title": [None, "Buy milk"], "status": [None, "PENDING"]},
        },
    ]


def test_the_history_lacks_failed_and_empty_changes(store: TaskStore, task: Task) -> None:
    store.create(new_task("Taken"))
    store.update(task.id, changing(title=task.title))
    with pytest.raises(TitleTaken):
        store.update(task.id, changing(title="Taken"))
    assert [change["version"] for change in read(task.id)["body"]] == [1]


def test_the_history_lacks_idempotent_retries(store: TaskStore, history: TaskHistory) -> None:
    ids = {store.create(new_task("Once"), key="key").task.id for _ in range(2)}
    assert len(history.page(ids.pop(), 10).changes) == 1


def test_links_lead_through_all_pages(store: TaskStore, task: Task) -> None:
    for number in range(6):
        store.update(task.id, changing(description=str(number)))
    seen, cursor = [], None
    while True:
        query = {"limit": ["3"]} | ({"cursor": [cursor]} if cursor else {})
        answer = read(task.id, **query)
        seen += [change["version"] for change in answer["body"]]
        link = answer["multiValueHeaders"].get("Link")
        if link is None:
            break
        assert link[0].startswith(f"<http://127.0.0.1:3000/tasks/{task.id}/history?limit=3&cursor=")
        cursor = link[0].partition("cursor=")[2].partition(">")[0]
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert "Link" not in read(task.id, limit=["7"])["multiValueHeaders"]


def test_a_page_of_long_texts_ends_early_with_a_link(
    store: TaskStore, task: Task, history: TaskHistory
) -> None:
    for letter in "abcdefghijklmnop":
        store.update(task.id, changing(description=letter + "\U0001f5d3" * 9_999))
    page = history.page(task.id, 100)
    assert 0 < len(page.changes) < 17
    assert page.next
    assert history.page(task.id, 100, page.next).changes[-1]["version"] == 1


@pytest.mark.parametrize("cursor", ["x", "aGlzdG9yeS8w", "MTc2NzIyNTYwMC83ZDlmMmMxZQ"])
def test_a_cursor_of_another_list_is_refused(task: Task, cursor: str) -> None:
    answer = read(task.id, cursor=[cursor])
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("task_id", ["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", "x"])
def test_an_unknown_task_has_no_history(dynamodb: Any, task_id: str) -> None:
    assert read(task_id)["statusCode"] == 404


def test_an_expired_task_has_no_history(
    store: TaskStore, task: Task, history: TaskHistory, dynamodb: Any
) -> None:
    store.delete(task.id)
    assert history.page(task.id, 10).changes
    dynamodb.update_item(
        TableName="TasksTable",
        Key={"pk": {"S": f"TRASH#{task.id}"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    with pytest.raises(TaskNotFound):
        history.page(task.id, 10)


def test_the_history_of_an_older_task_begins_with_its_next_change(
    store: TaskStore, task: Task, history: TaskHistory, dynamodb: Any
) -> None:
    dynamodb.delete_item(TableName="HistoryTable", Key={"task_id": {"S": task.id}, "version": {"N": "1"}})
    assert history.page(task.id, 10).changes == []
    store.update(task.id, changing(title="Buy bread"))
    (change,) = history.page(task.id, 10).changes
    assert (change["version"], change["by"]) == (2, None)


def messages(task_id: str) -> list[dict[str, Any]]:
    """The messages of a `task.purged` event."""
    record = event("purge_history")["Records"][0]
    body = json.loads(record["body"])
    body["detail"]["subject"] = task_id
    return [{**record, "body": json.dumps(body)}]


def versions(dynamodb: Any, task: Task) -> int:
    """How many versions of a task the history table holds, even if the task is gone."""
    answer = dynamodb.query(
        TableName="HistoryTable",
        KeyConditionExpression="task_id = :task",
        ExpressionAttributeValues={":task": {"S": task.id}},
    )
    return len(answer["Items"])


@pytest.fixture
def purged(store: TaskStore, task: Task) -> Task:
    """A purged task with a history of 62 versions."""
    for number in range(60):
        store.update(task.id, changing(description=str(number)))
    store.delete(task.id)
    Trash().purge(task.id, author=ADA)
    return task


def test_the_history_of_a_purged_task_is_deleted_and_no_other(
    store: TaskStore, purged: Task, dynamodb: Any
) -> None:
    other = store.create(new_task("Another")).task
    for _ in range(2):  # a message may be delivered twice
        assert invoke("purge_history", Records=messages(purged.id)) == {"batchItemFailures": []}
    assert versions(dynamodb, purged) == 0
    assert versions(dynamodb, other) == 1


def test_a_restored_task_keeps_its_history(store: TaskStore, task: Task, dynamodb: Any) -> None:
    invoke("purge_history", Records=messages(task.id))
    store.delete(task.id)
    invoke("purge_history", Records=messages(task.id))
    assert versions(dynamodb, task) == 2


def test_an_interrupted_purge_resumes(purged: Task, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, calls = aws.client("dynamodb"), []
    write = client.batch_write_item

    def refuse(RequestItems: Any) -> Any:  # noqa: N803
        """Accept the first batch only."""
        calls.append(RequestItems)
        return write(RequestItems=RequestItems) if len(calls) == 1 else {"UnprocessedItems": RequestItems}

    with monkeypatch.context() as patch:
        patch.setattr(client, "batch_write_item", refuse)
        with pytest.raises(Unavailable):
            TaskHistory(client).purge(purged.id)
    assert versions(dynamodb, purged) == 62 - 25
    TaskHistory().purge(purged.id)
    assert versions(dynamodb, purged) == 0


def test_a_task_restored_between_two_reads_is_found(
    store: TaskStore, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.delete(task.id)
    client = aws.client("dynamodb")
    look, keys = client.get_item, []

    def look_and_restore(**arguments: Any) -> Any:
        keys.append(arguments["Key"])
        found = look(**arguments)
        if len(keys) == 1:  # this read looks for the task outside of the trash
            Trash(lambda: None).restore(task.id, author=ADA)
        return found

    monkeypatch.setattr(client, "get_item", look_and_restore)
    assert len(TaskHistory(client).page(task.id, 10).changes) == 3
