"""`make check-data` finds damage in the tables, and does not take concurrent changes for damage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from shared.tasks import trash_items
from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from shared.tasks.task import NOBODY, Task
from shared.tasks.trash import Trash
from tests.tasks import changing, new_task
from tools.migrations import check

ID = "7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"
TABLE = "TasksTable"


@pytest.fixture
def store(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> TaskStore:
    monkeypatch.setattr(check, "_PAGE_SIZE", 3)
    store = TaskStore(lambda: None, client=dynamodb)
    for number in range(7):
        store.create(new_task(f"Task {number}"), key=str(number) if number % 2 else None)
    return store


def found(dynamodb: Any) -> list[str]:
    return [each for each in check.problems(dynamodb, TABLE, StatusShards(), rate=10**6) if each]


def put(dynamodb: Any, key: str, **attributes: str) -> None:
    item = {name: {"S": value} for name, value in attributes.items()}
    dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": key}, **item})


def change(dynamodb: Any, key: str, name: str, value: Any) -> None:
    dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": key}},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )


def decompose(dynamodb: Any, task_id: str, title: str) -> None:
    """Rename a task as was possible before requests were normalized to NFC."""
    store = TaskStore(lambda: None, client=dynamodb)
    store.create(new_task("Café"))
    store.update(task_id, changing(title=title))


def test_data_written_by_the_api_has_no_problems(store: TaskStore, dynamodb: Any) -> None:
    task = store.create(new_task("Another")).task
    store.update(task.id, changing(title="Renamed"))
    trash = Trash(lambda: None, client=dynamodb)
    for number, end in enumerate([None, trash.purge, trash.restore]):
        deleted = store.create(new_task(f"Deleted {number}")).task
        store.delete(deleted.id)
        if end:
            end(deleted.id, author=NOBODY)
    assert found(dynamodb) == []


def put_in_trash(dynamodb: Any, task: Task, **changes: str) -> None:
    item: Any = trash_items.put_in_trash(TABLE, task, task.updated_at, 60)["Put"]["Item"]
    changed = {name: {"S": value} for name, value in changes.items()}
    dynamodb.put_item(TableName=TABLE, Item={**item, **changed})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda db, task: put(db, "TITLE#lost", task_id=ID), "TITLE#lost belongs to a task that is gone"),
        (lambda db, task: put(db, "TITLE#two", task_id=task.id), "which has another title"),
        (
            lambda db, task: db.delete_item(TableName=TABLE, Key={"pk": {"S": "TITLE#Mine"}}),
            "has no item for its title 'Mine'",
        ),
        (lambda db, task: change(db, "TITLE#Mine", "task_id", {"S": ID}), "belongs to another task"),
        (lambda db, task: change(db, f"TASK#{task.id}", "status", {"S": "DONE"}), "cannot be read"),
        (lambda db, task: change(db, f"TASK#{task.id}", "status", {"S": "PENDING#9"}), "make migrate"),
        (lambda db, task: change(db, f"TASK#{task.id}", "due", {"S": "0#x"}), "make migrate ARGS=--again"),
        (lambda db, task: change(db, f"TASK#{task.id}", "id", {"S": ID}), "Correct its id"),
        (lambda db, task: change(db, f"TASK#{task.id}", "title", {"S": "Task 3"}), "belongs to another task"),
        (lambda db, task: decompose(db, task.id, "Mine\u0301"), "is not composed (NFC). Run 'make migrate"),
        (lambda db, task: decompose(db, task.id, "Cafe\u0301"), "have the same title 'Café', in two forms"),
        (lambda db, task: put_in_trash(db, task), "is deleted, but TASK#"),
        (lambda db, task: put(db, f"TRASH#{ID}", task="x"), "cannot be read"),
        (
            lambda db, task: put_in_trash(db, new_task(), status="PENDING"),
            "not listed in the trash. Run 'make",
        ),
        (lambda db, task: put_in_trash(db, new_task(), pk=f"TRASH#{ID}"), "Correct its id"),
        (lambda db, task: put(db, "SOMETHING"), "SOMETHING is not an item of this API"),
        (lambda db, task: put(db, f"TASK#{ID}", id=ID), "cannot be read"),
    ],
)
def test_each_kind_of_damage_is_found(
    store: TaskStore, dynamodb: Any, damage: Callable[[Any, Any], None], says: str
) -> None:
    task = store.create(new_task("Mine")).task
    damage(dynamodb, task)
    assert any(says in each for each in found(dynamodb)), found(dynamodb)


def test_changes_between_two_reads_are_no_problems(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = store.create(new_task("Mine")).task
    read, titles = dynamodb.batch_get_item, iter(f"Mine {number}" for number in range(100))

    def rename_and_read(**arguments: Any) -> Any:
        store.update(task.id, changing(title=next(titles)))
        return read(**arguments)

    monkeypatch.setattr(dynamodb, "batch_get_item", rename_and_read)
    assert found(dynamodb) == []


def test_a_history_without_a_task_is_found(store: TaskStore, dynamodb: Any) -> None:
    def orphans() -> list[str]:
        return [each for each in check.orphans(dynamodb, "HistoryTable", TABLE, rate=10**6) if each]

    trash = Trash(client=dynamodb)
    tasks = [store.create(new_task(f"Changed {number}")).task for number in range(3)]
    for task in tasks:
        for text in "abcd":
            store.update(task.id, changing(description=text))
    for task in tasks[:2]:
        store.delete(task.id)
    trash.purge(tasks[0].id, author=NOBODY)
    assert orphans() == []
    dynamodb.delete_item(TableName=TABLE, Key=trash_items.trash_key(tasks[0].id))
    (said,) = orphans()
    assert f"the history of the task {tasks[0].id}, which is gone" in said


def test_the_check_writes_nothing(store: TaskStore, dynamodb: Any) -> None:
    put(dynamodb, "TITLE#lost", task_id=ID)
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    found(dynamodb)
    assert set(calls) == {"Scan", "BatchGetItem", "TransactGetItems"}


def test_an_unknown_stack_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make check-data", "--endpoint-url", "http://127.0.0.1:9"])
    assert check.main() == 2
    assert capsys.readouterr().err.startswith("error: There is no local stack at http://127.0.0.1:9")


def test_it_stops_after_too_many_problems(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "_MAX_FOUND", 2)
    for number in range(5):
        put(dynamodb, f"TITLE#lost {number}", task_id=ID)
    assert check._report(check.problems(dynamodb, TABLE, StatusShards(), rate=10**6)) == 2
    assert "the rest is not checked" in capsys.readouterr().out
