"""The tasks table: unique titles, versions, and lost races."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.errors import Contention, IdempotencyKeyReused, TaskNotFound, TitleTaken, VersionMismatch
from shared.tasks.listing import TaskListing
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.table import task_from_item
from shared.tasks.task import Author, TaskStatus
from tests.tasks import changing, new_task

UNKNOWN = "7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"


@pytest.fixture
def dynamodb(any_dynamodb: Any) -> Any:
    return any_dynamodb


@pytest.fixture
def store(dynamodb: Any) -> TaskStore:
    return new_store(dynamodb)


def new_store(dynamodb: Any) -> TaskStore:
    return TaskStore(lambda: None, client=dynamodb)


def create(store: TaskStore, title: str = "Buy milk", **fields: Any) -> Any:
    return store.create(new_task(title, **fields)).task


def titles_held(dynamodb: Any) -> set[str]:
    items = dynamodb.scan(TableName="TasksTable")["Items"]
    return {item["pk"]["S"].removeprefix("TITLE#") for item in items if item["pk"]["S"].startswith("TITLE#")}


def conflicts(client: Any, monkeypatch: pytest.MonkeyPatch, times: int) -> list[Any]:
    """Fail the next transactions, as DynamoDB does when another one holds the same item."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    write, calls = client.transact_write_items, []

    def transact_write_items(**arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) > times:
            return write(**arguments)
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise client.exceptions.TransactionCanceledException(response, "TransactWriteItems")

    monkeypatch.setattr(client, "transact_write_items", transact_write_items)
    return calls


def test_a_task_is_read_as_it_was_created(store: TaskStore) -> None:
    task = create(store, description="two litres", status=TaskStatus.IN_PROGRESS)
    assert store.get(task.id) == task
    assert task.version == 1
    assert task.created_at == task.updated_at


def test_a_title_is_held_by_one_task(store: TaskStore, dynamodb: Any) -> None:
    create(store)
    with pytest.raises(TitleTaken, match="Buy milk"):
        create(store)
    assert len(TaskListing(dynamodb).page(TaskQuery(limit=20)).tasks) == 1


def test_a_taken_title_names_its_task(store: TaskStore) -> None:
    milk, bread = create(store, "Buy milk"), create(store, "Buy bread")
    with pytest.raises(TitleTaken) as created:
        create(store, "Buy milk")
    with pytest.raises(TitleTaken) as renamed:
        store.update(bread.id, changing(title="Buy milk"))
    assert created.value.task_id == renamed.value.task_id == milk.id


class TestIdempotencyKeys:
    def create(self, store: TaskStore, key: str = "k", user: str = "ada", **fields: Any) -> Any:
        return store.create(new_task(created_by=user, **fields), key=key)

    def test_a_retry_returns_the_task_as_it_was_created(self, store: TaskStore) -> None:
        task, is_replay = self.create(store, description="two litres")
        assert not is_replay
        store.update(task.id, changing(title="Buy bread"))
        assert self.create(store, description="two litres") == (task, True)
        store.delete(task.id)
        assert self.create(store, description="two litres") == (task, True)

    def test_a_key_reused_for_another_task_is_refused(self, store: TaskStore) -> None:
        self.create(store)
        for other in ({"title": "Buy bread"}, {"description": "x"}, {"status": TaskStatus.COMPLETED}):
            with pytest.raises(IdempotencyKeyReused):
                self.create(store, **other)

    def test_a_key_belongs_to_its_user(self, store: TaskStore) -> None:
        self.create(store)
        with pytest.raises(TitleTaken):
            self.create(store, user="grace")
        assert not self.create(store, user="grace", title="Buy bread").is_replay

    def test_a_key_of_a_refused_request_is_free(self, store: TaskStore) -> None:
        create(store, "Buy milk")
        with pytest.raises(TitleTaken):
            self.create(store)
        assert not self.create(store, title="Buy bread").is_replay

    def test_a_key_expires_after_a_day(self, store: TaskStore, monkeypatch: pytest.MonkeyPatch) -> None:
        first = self.create(store).task
        store.delete(first.id)
        later = time.time() + 24 * 60 * 60
        monkeypatch.setattr("shared.tasks.table.time.time", lambda: later - 2)
        assert self.create(store).is_replay
        monkeypatch.setattr("shared.tasks.table.time.time", lambda: later + 1)
        again, is_replay = self.create(store)
        assert not is_replay
        assert again.id != first.id

    def test_concurrent_retries_create_one_task(self, store: TaskStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(lambda _: self.create(store), range(8)))
        assert len({task for task, _ in results}) == 1
        assert [is_replay for _, is_replay in results].count(False) == 1


def test_a_failing_commit_hook_fails_no_write(dynamodb: Any) -> None:
    store = TaskStore(lambda: 1 / 0, client=dynamodb)
    task = create(store)
    assert store.get(task.id) == task


def test_a_title_that_only_resembles_another_is_free(store: TaskStore) -> None:
    create(store, "Buy milk")
    create(store, "buy milk")


@pytest.mark.parametrize("task_id", ["", "x", UNKNOWN, UNKNOWN.upper(), "a" * 5000, f"urn:uuid:{UNKNOWN}"])
def test_an_unknown_id_is_not_found(store: TaskStore, task_id: str) -> None:
    with pytest.raises(TaskNotFound):
        store.get(task_id)
    with pytest.raises(TaskNotFound):
        store.update(task_id, changing(description="x"))
    with pytest.raises(TaskNotFound):
        store.delete(task_id)


def test_an_update_changes_the_given_fields_and_raises_the_version(store: TaskStore) -> None:
    task = create(store, description="two litres")
    changed = store.update(task.id, changing(status=TaskStatus.COMPLETED))
    assert store.get(task.id) == changed
    assert (changed.title, changed.description) == ("Buy milk", "two litres")
    assert changed.status is TaskStatus.COMPLETED
    assert changed.version == 2
    assert changed.updated_at > task.updated_at
    assert changed.created_at == task.created_at


def test_a_description_can_be_cleared(store: TaskStore) -> None:
    task = create(store, description="two litres")
    store.update(task.id, changing(description=None))
    assert store.get(task.id).description is None


def test_a_rename_moves_the_title(store: TaskStore, dynamodb: Any) -> None:
    task = create(store, "Buy milk")
    store.update(task.id, changing(title="Buy bread"))
    assert titles_held(dynamodb) == {"Buy bread"}
    create(store, "Buy milk")
    with pytest.raises(TitleTaken):
        create(store, "Buy bread")


def test_a_rename_onto_a_held_title_changes_nothing(store: TaskStore, dynamodb: Any) -> None:
    create(store, "Buy milk")
    bread = create(store, "Buy bread")
    with pytest.raises(TitleTaken):
        store.update(bread.id, changing(title="Buy milk", status=TaskStatus.COMPLETED))
    assert store.get(bread.id) == bread
    assert titles_held(dynamodb) == {"Buy milk", "Buy bread"}


def test_a_change_that_changes_nothing_writes_nothing(store: TaskStore) -> None:
    task = create(store, "Buy milk")
    assert store.update(task.id, changing(title="Buy milk", status=TaskStatus.PENDING)) == task
    with pytest.raises(VersionMismatch):
        store.update(task.id, changing(title="Buy milk"), versions={7})
    assert store.get(task.id) == task


def test_the_commit_hook_is_called_again_for_a_repeated_change(dynamodb: Any) -> None:
    """The first caller may have died before its commit hook ran."""
    commits: list[str] = []
    died = TaskStore(lambda: None, client=dynamodb)
    store = TaskStore(lambda: commits.append("commit"), client=dynamodb)
    task = died.create(new_task(), key="k").task
    assert store.create(new_task(), key="k").is_replay
    assert commits == ["commit"]
    died.update(task.id, changing(title="Buy bread"))
    store.update(task.id, changing(title="Buy bread"))
    assert commits == ["commit"] * 2


def test_a_deleted_task_frees_its_title(store: TaskStore, dynamodb: Any) -> None:
    task = create(store)
    store.delete(task.id)
    assert titles_held(dynamodb) == set()
    with pytest.raises(TaskNotFound):
        store.get(task.id)
    with pytest.raises(TaskNotFound):
        store.delete(task.id)
    create(store)


def test_a_deleted_task_is_kept_with_who_deleted_it(store: TaskStore, dynamodb: Any) -> None:
    task = create(store)
    store.delete(task.id, author=Author("grace", "request-2"))
    item = dynamodb.get_item(TableName="TasksTable", Key={"pk": {"S": f"TRASH#{task.id}"}})["Item"]
    kept = task_from_item(item["task"]["M"])
    assert kept == task.next_version(Author("grace", "request-2"))
    assert 0 < int(item["expires_at"]["N"]) - int(item["deleted_at"]["N"]) / 1e6 <= 30 * 86_400


def test_versions_guard_updates_and_deletes(store: TaskStore) -> None:
    task = create(store)
    store.update(task.id, changing(description="mine"), versions={1})
    with pytest.raises(VersionMismatch):
        store.update(task.id, changing(description="yours"), versions={1})
    with pytest.raises(VersionMismatch):
        store.delete(task.id, versions={1})
    with pytest.raises(VersionMismatch):
        store.delete(task.id, versions=frozenset())
    assert store.get(task.id).description == "mine"
    store.delete(task.id, versions={7, 2})


def interfere(store: TaskStore, monkeypatch: pytest.MonkeyPatch, *, once: bool, act: Any) -> None:
    """Call `act` after a read of `store`, before the write that follows it."""
    get, done = store.get, threading.Event()

    def get_then_act(task_id: str) -> Any:
        task = get(task_id)
        if not (once and done.is_set()):
            done.set()
            act(task)
        return task

    monkeypatch.setattr(store, "get", get_then_act)


def test_a_lost_race_is_retried_on_the_winners_result(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(store)
    other = new_store(dynamodb)
    interfere(
        store, monkeypatch, once=True, act=lambda t: other.update(t.id, changing(status=TaskStatus.COMPLETED))
    )
    changed = store.update(task.id, changing(title="Buy bread"))
    assert changed.status is TaskStatus.COMPLETED
    assert changed.version == 3
    assert titles_held(dynamodb) == {"Buy bread"}


def test_a_lost_race_is_a_mismatch_with_if_match(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(store)
    other = new_store(dynamodb)
    interfere(store, monkeypatch, once=True, act=lambda t: other.update(t.id, changing(description="first")))
    with pytest.raises(VersionMismatch):
        store.update(task.id, changing(description="second"), versions={1})
    assert other.get(task.id).description == "first"


def test_an_update_that_loses_to_a_delete_finds_nothing(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(store)
    interfere(store, monkeypatch, once=True, act=lambda t: new_store(dynamodb).delete(t.id))
    with pytest.raises(TaskNotFound):
        store.update(task.id, changing(title="Buy bread"))
    assert titles_held(dynamodb) == set()


def test_a_delete_frees_the_renamed_title(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(store)
    other = new_store(dynamodb)
    interfere(store, monkeypatch, once=True, act=lambda t: other.update(t.id, changing(title="Buy bread")))
    store.delete(task.id)
    assert titles_held(dynamodb) == set()


def test_losing_every_race_is_an_error(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(store)
    other = new_store(dynamodb)
    changes = (changing(description=f"change {number}") for number in itertools.count())
    interfere(store, monkeypatch, once=False, act=lambda t: other.update(t.id, next(changes)))
    with pytest.raises(Contention):
        store.update(task.id, changing(description="never"))
    with pytest.raises(Contention):
        store.delete(task.id)


def test_the_commit_hook_is_called_for_each_commit_and_nothing_else(dynamodb: Any) -> None:
    commits: list[set[str]] = []
    store = TaskStore(lambda: commits.append(titles_held(dynamodb)), client=dynamodb)
    task = create(store, "Buy milk")
    with pytest.raises(TitleTaken):
        create(store, "Buy milk")
    store.update(task.id, changing(title="Buy bread"))
    with pytest.raises(VersionMismatch):
        store.update(task.id, changing(title="Buy eggs"), versions={1})
    store.delete(task.id)
    assert commits == [{"Buy milk"}, {"Buy bread"}, set()]


def test_a_store_without_a_commit_hook_writes_nothing(store: TaskStore, dynamodb: Any) -> None:
    task = create(store)
    without_hook = TaskStore(client=dynamodb)
    assert without_hook.get(task.id) == task
    for write in (
        lambda: create(without_hook, "Buy bread"),
        lambda: without_hook.update(task.id, changing(title="Buy bread")),
        lambda: without_hook.delete(task.id),
    ):
        with pytest.raises(TypeError, match="on_commit"):
            write()
    assert titles_held(dynamodb) == {"Buy milk"}


def test_a_task_from_before_an_attribute_was_added_is_read_and_changed(
    store: TaskStore, dynamodb: Any
) -> None:
    task = create(store, description="two litres")
    key = {"pk": {"S": f"TASK#{task.id}"}}
    dynamodb.update_item(TableName="TasksTable", Key=key, UpdateExpression="REMOVE description")
    assert store.get(task.id) == replace(task, description=None)
    assert store.update(task.id, changing(description="one litre")).description == "one litre"


def test_an_update_preserves_unknown_attributes(store: TaskStore, dynamodb: Any) -> None:
    """A newer version may have written them: both versions serve during a deployment."""
    task = create(store)
    key = {"pk": {"S": f"TASK#{task.id}"}}
    values = {":value": {"S": "high"}}
    dynamodb.update_item(
        TableName="TasksTable",
        Key=key,
        UpdateExpression="SET priority = :value",
        ExpressionAttributeValues=values,
    )
    store.update(task.id, changing(title="Buy bread"))
    assert dynamodb.get_item(TableName="TasksTable", Key=key)["Item"]["priority"] == {"S": "high"}


def test_a_transaction_that_conflicts_is_retried(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = conflicts(dynamodb, monkeypatch, times=3)
    task = create(store)
    assert len(calls) == 4
    assert store.get(task.id) == task


def test_endless_conflicts_are_contention(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    conflicts(dynamodb, monkeypatch, times=1000)
    with pytest.raises(Contention):
        create(store)


def test_a_transaction_refused_for_another_reason_is_not_retried(
    store: TaskStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_arguments: Any) -> Any:
        reasons = [{"Code": "ValidationError"}, {"Code": "None"}]
        response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise dynamodb.exceptions.TransactionCanceledException(response, "TransactWriteItems")

    monkeypatch.setattr(dynamodb, "transact_write_items", refuse)
    with pytest.raises(ClientError):
        create(store)


def test_operations_make_as_few_calls_as_possible(store: TaskStore, dynamodb: Any) -> None:
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))

    def calls_of(act: Any) -> list[str]:
        calls.clear()
        act()
        return list(calls)

    task = create(store)
    assert calls == ["TransactWriteItems"]
    assert calls_of(lambda: store.get(task.id)) == ["GetItem"]
    assert calls_of(lambda: store.update(task.id, changing(title="Buy bread"))) == [
        "GetItem",
        "TransactWriteItems",
    ]
    listing = TaskListing(dynamodb)
    assert calls_of(lambda: listing.page(TaskQuery(limit=20))) == ["Query"] * 3
    assert calls_of(lambda: listing.page(TaskQuery(limit=20, statuses=(TaskStatus.PENDING,)))) == ["Query"]
    assert calls_of(lambda: store.delete(task.id)) == ["GetItem", "TransactWriteItems"]


def test_concurrent_writers_have_one_winner(store: TaskStore) -> None:
    def attempt(_n: int) -> str:
        try:
            return str(create(store).id)
        except TitleTaken:
            return "taken"

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(attempt, range(8)))
    assert sorted(results).count("taken") == 7
