"""The trash: deleted tasks are listed, restored and purged; of concurrent callers one succeeds."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from shared import aws
from shared.errors import NotInTrash, TaskNotFound, TitleTaken, VersionMismatch
from shared.tasks.history import TaskHistory
from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.position import Sort
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.task import NOBODY, Author, Task, TaskStatus, current_time
from shared.tasks.trash import Trash
from shared.tasks.trash_items import purge_from_item, trash_key
from tests.faults import Faults, lost
from tests.handlers import invoke
from tests.tasks import changing, new_task
from tools.migrations.check import problems

ADA = Author("ada", "request-1")
GRACE = Author("grace", "request-2")


class World:
    """The tasks of a table, deleted or not."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.commits = 0
        self.store = TaskStore(self._commit, client=client)
        self.trash = Trash(self._commit, client=client)
        self.history = TaskHistory(client)

    def _commit(self) -> None:
        self.commits += 1

    def deleted(self, title: str = "Buy milk", **chosen: Any) -> Task:
        task = self.store.create(new_task(title, author=ADA, **chosen)).task
        self.store.delete(task.id, author=ADA)
        return task

    def titles(self) -> list[str]:
        return [each.task.title for each in self.trash.page(100).tasks]

    def listed(self, **query: Any) -> list[str]:
        page = TaskListing(self.client).page(TaskQuery(limit=100, **query))
        return [task.title for task in page.tasks]

    def expire(self, task: Task) -> None:
        """Let a task expire that DynamoDB has not removed yet."""
        self.client.update_item(
            TableName="TasksTable",
            Key=trash_key(task.id),
            UpdateExpression="SET expires_at = :now",
            ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
        )


@pytest.fixture
def world(any_dynamodb: Any) -> World:
    return World(any_dynamodb)


def test_deleted_tasks_are_listed_newest_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, title in enumerate("abc"):
        now = current_time() + number
        with monkeypatch.context() as patch:
            patch.setattr("shared.tasks.store.current_time", lambda now=now: now)
            world.deleted(title)
    page = world.trash.page(100)
    assert [each.task.title for each in page.tasks] == ["c", "b", "a"]
    for each in page.tasks:
        assert each.expires_at == each.deleted_at // 10**6 + 30 * 24 * 60 * 60
    assert world.listed() == []


def test_lists_do_not_read_the_trash(world: World) -> None:
    for number in range(5):
        task = world.store.create(new_task(str(number), due_at=1)).task
        world.store.update(task.id, changing(labels=("x",)))
        world.store.delete(task.id)
    read: list[int] = []
    world.client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"])
    )
    for query in ({}, {"sort": Sort.DUE_AT}, {"assignee": "ada"}, {"text": "1"}):
        assert world.listed(**query) == []
    assert set(read) == {0}


def test_links_lead_through_all_pages(world: World) -> None:
    titles = {f"Task {number}" for number in range(7)}
    for title in titles:  # many in the same second
        world.deleted(title)
    seen: list[str] = []
    after = None
    while True:
        page = world.trash.page(3, after)
        seen += [each.task.title for each in page.tasks]
        after = page.next
        if after is None:
            break
    assert Counter(seen) == Counter(titles)
    assert world.trash.page(7).next is None


def test_a_page_of_large_tasks_ends_early_with_a_link(world: World) -> None:
    for number in range(30):
        world.deleted(str(number), description="\U0001f5d3" * 10_000)
    page = world.trash.page(100)
    assert 0 < len(page.tasks) < 30
    assert page.next
    assert len(page.tasks) + len(world.trash.page(100, page.next).tasks) == 30


def test_a_restored_task_is_the_same_in_a_new_version(world: World) -> None:
    chosen = {
        "description": "one litre",
        "status": TaskStatus.IN_PROGRESS,
        "assignee": None,
        "due_at": 4_000_000_000,
        "labels": ("home",),
    }
    task = world.deleted(**chosen)
    commits = world.commits
    restored = world.trash.restore(task.id, author=GRACE)
    assert world.commits == commits + 1  # which invalidates the cached list
    assert restored == world.store.get(task.id)
    assert {name: getattr(restored, name) for name in chosen} == chosen
    assert (restored.title, restored.id, restored.created_at) == (task.title, task.id, task.created_at)
    assert restored.version == 3
    assert restored.updated_at > task.updated_at
    assert world.listed() == world.listed(sort=Sort.DUE_AT) == ["Buy milk"]
    assert world.titles() == []
    change = world.history.page(task.id, 10).changes[0]
    assert (change["type"], change["by"], change["changes"]) == ("task.restored", "grace", {})
    with pytest.raises(VersionMismatch):
        world.store.delete(task.id, versions={1, 2})


@pytest.mark.parametrize(("due_at", "reminds"), [(1_767_225_600, False), (4_000_000_000, True)])
def test_a_date_that_passed_in_the_trash_sends_no_reminder(world: World, due_at: int, reminds: bool) -> None:
    task = world.store.create(replace(new_task(due_at=due_at), due_set_at=1)).task
    assert task.reminds
    world.store.delete(task.id)
    assert world.trash.restore(task.id, author=ADA).reminds is reminds


def test_a_title_taken_meanwhile_can_be_replaced(world: World) -> None:
    task, other = world.deleted(), world.store.create(new_task()).task
    with pytest.raises(TitleTaken) as refusal:
        world.trash.restore(task.id, author=ADA)
    assert refusal.value.task_id == other.id
    assert world.titles() == ["Buy milk"]
    assert world.trash.restore(task.id, author=ADA, title="Buy bread").title == "Buy bread"
    assert world.history.page(task.id, 1).changes[0]["changes"] == {"title": ["Buy milk", "Buy bread"]}
    with pytest.raises(TitleTaken):
        world.store.create(new_task("Buy bread"))


def test_a_restored_task_can_be_deleted_and_restored_again(world: World) -> None:
    task = world.deleted()
    for version in (3, 5):
        assert world.trash.restore(task.id, author=ADA).version == version
        world.store.delete(task.id)
    assert world.titles() == ["Buy milk"]


def test_a_purge_leaves_only_who_purged_and_when(world: World) -> None:
    task = world.deleted(description="a secret")
    world.trash.purge(task.id, author=GRACE)
    assert world.titles() == []
    left = world.client.get_item(TableName="TasksTable", Key=trash_key(task.id))["Item"]
    assert left.keys() == {"pk", "purged_by", "request_id", "purged_at", "expires_at"}
    assert (left["purged_by"], left["request_id"]) == ({"S": "grace"}, {"S": "request-2"})
    for act in (world.trash.restore, world.trash.purge):
        with pytest.raises(NotInTrash):
            act(task.id, author=ADA)
    with pytest.raises(TaskNotFound):
        world.history.page(task.id, 10)
    world.store.create(new_task())  # its title is free


def test_a_purge_whose_response_is_lost_is_done_once(
    any_dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(any_dynamodb)
    task = world.deleted()
    client = aws.client("dynamodb") if any_dynamodb.meta.endpoint_url.endswith(".com") else any_dynamodb
    Faults(client, monkeypatch).then(lost, None)
    Trash(client=client).purge(task.id, author=GRACE)
    assert world.titles() == []


def test_a_purge_without_a_user_names_nobody(world: World) -> None:
    task = world.deleted()
    world.trash.purge(task.id, author=NOBODY)
    left = world.client.get_item(TableName="TasksTable", Key=trash_key(task.id))["Item"]
    assert purge_from_item(left).author == NOBODY


@pytest.mark.parametrize("days", [1, 400])
def test_a_deleted_task_is_kept_for_the_configured_retention(
    world: World, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setenv("TRASH_RETENTION", str(days))
    world.deleted()
    (deleted,) = world.trash.page(10).tasks
    assert deleted.expires_at == deleted.deleted_at // 10**6 + days * 24 * 60 * 60


def test_a_decomposed_title_is_normalized_when_it_is_restored(world: World) -> None:
    task = world.deleted("Cafe\u0301")
    other = world.store.create(new_task("Caf\u00e9")).task
    with pytest.raises(TitleTaken) as refusal:
        world.trash.restore(task.id, author=ADA)
    assert refusal.value.task_id == other.id


def test_an_expired_task_is_gone_before_dynamodb_deletes_it(world: World) -> None:
    gone, kept = world.deleted("Gone"), world.deleted("Kept")
    world.expire(gone)
    assert world.titles() == ["Kept"]
    for act in (world.trash.restore, world.trash.purge):
        with pytest.raises(NotInTrash):
            act(gone.id, author=ADA)
    world.trash.restore(kept.id, author=ADA)


@pytest.mark.parametrize("task_id", ["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", "x", ""])
def test_tasks_that_were_not_deleted_are_not_found(world: World, task_id: str) -> None:
    world.store.create(new_task())
    for act in (world.trash.restore, world.trash.purge):
        with pytest.raises(NotInTrash):
            act(task_id, author=ADA)


@pytest.fixture
def overtaken(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call something once, between a read of the table and the write that follows it."""
    look = world.client.get_item

    def overtake(act: Callable[[], object]) -> None:
        def look_and_act(**arguments: Any) -> Any:
            found = look(**arguments)
            monkeypatch.setattr(world.client, "get_item", look)
            act()
            return found

        monkeypatch.setattr(world.client, "get_item", look_and_act)

    return overtake


def test_a_restore_that_loses_to_a_purge_finds_nothing(
    world: World, overtaken: Callable[[Callable[[], object]], None]
) -> None:
    task = world.deleted()
    overtaken(lambda: world.trash.purge(task.id, author=GRACE))
    with pytest.raises(NotInTrash):
        world.trash.restore(task.id, author=ADA)
    assert world.listed() == world.titles() == []


def test_a_restore_uses_the_latest_deletion(
    world: World, overtaken: Callable[[Callable[[], object]], None]
) -> None:
    task = world.deleted()

    def change() -> None:
        world.trash.restore(task.id, author=ADA, title="Buy bread")
        world.store.delete(task.id)

    overtaken(change)
    restored = world.trash.restore(task.id, author=ADA)
    assert (restored.title, restored.version) == ("Buy bread", 5)


def test_an_idempotent_retry_does_not_recreate_a_deleted_task(world: World) -> None:
    first = world.store.create(new_task(), key="key").task
    world.store.delete(first.id)
    again = world.store.create(new_task(), key="key")
    assert again.is_replay
    assert again.task.id == first.id
    assert world.listed() == []


def test_restored_tasks_are_in_their_shards(any_dynamodb: Any) -> None:
    world = World(any_dynamodb)
    task = world.deleted()
    shards = StatusShards(written=8, read=8)
    Trash(lambda: None, client=any_dynamodb, shards=shards).restore(task.id, author=ADA)
    page = TaskListing(any_dynamodb, shards=shards).page(TaskQuery(limit=10))
    assert [each.id for each in page.tasks] == [task.id]
    assert not [each for each in problems(any_dynamodb, "TasksTable", shards, rate=10**6) if each]


class TestConcurrentCallers:
    """Of concurrent callers one succeeds, and the others get an error."""

    @pytest.fixture
    def worlds(self, emulated_dynamodb: Any) -> list[World]:
        return [World(aws.client("dynamodb")) for _ in range(4)]

    def race(self, *acts: Callable[[], object]) -> list[str]:
        """Call concurrently; returns the name of the error of each call, empty if it succeeded."""

        def outcome(act: Callable[[], object]) -> str:
            try:
                act()
            except (NotInTrash, TaskNotFound, TitleTaken) as error:
                return type(error).__name__
            return ""

        with ThreadPoolExecutor(len(acts)) as threads:
            return list(threads.map(outcome, acts))

    def assert_consistent(self, world: World) -> None:
        found = problems(world.client, "TasksTable", StatusShards(), rate=10**6)
        assert [each for each in found if each] == []

    def test_of_many_restores_one_succeeds(self, worlds: list[World]) -> None:
        task = worlds[0].deleted()
        outcomes = self.race(*(lambda w=world: w.trash.restore(task.id, author=ADA) for world in worlds))
        assert sorted(outcomes) == ["", "NotInTrash", "NotInTrash", "NotInTrash"]
        assert worlds[0].store.get(task.id).version == 3
        self.assert_consistent(worlds[0])

    def test_a_restore_and_a_purge_do_not_both_happen(self, worlds: list[World]) -> None:
        for number in range(5):
            task = worlds[0].deleted(str(number))
            outcomes = self.race(
                lambda task=task: worlds[1].trash.purge(task.id, author=ADA),
                lambda task=task: worlds[2].trash.restore(task.id, author=ADA),
            )
            assert sorted(outcomes) == ["", "NotInTrash"]
            assert (str(number) in worlds[0].listed()) is (outcomes[1] == "")
        self.assert_consistent(worlds[0])

    def test_concurrent_restores_creates_and_renames_share_no_title(self, worlds: list[World]) -> None:
        for number in range(5):
            title = f"Title {number}"
            task, other = worlds[0].deleted(title), worlds[0].store.create(new_task(f"Other {number}")).task
            outcomes = self.race(
                lambda task=task: worlds[1].trash.restore(task.id, author=ADA),
                lambda title=title: worlds[2].store.create(new_task(title)),
                lambda other=other, title=title: worlds[3].store.update(other.id, changing(title=title)),
            )
            assert sorted(outcomes) == ["", "TitleTaken", "TitleTaken"]
            assert worlds[0].listed().count(title) == 1
        self.assert_consistent(worlds[0])

    def test_a_delete_and_a_restore_leave_the_task_in_one_place(self, worlds: list[World]) -> None:
        task = worlds[0].deleted()
        for _ in range(5):
            self.race(
                lambda: worlds[1].trash.restore(task.id, author=ADA),
                lambda: worlds[2].store.delete(task.id),
                lambda: worlds[3].trash.restore(task.id, author=ADA),
            )
            assert worlds[0].listed() + worlds[0].titles() == ["Buy milk"]
            self.assert_consistent(worlds[0])


def test_the_endpoints_return_the_outcome(aws: None) -> None:
    task = json.loads(invoke("create_task")["body"])
    path = {"pathParameters": {"task_id": task["id"]}}
    invoke("delete_task", **path)
    (deleted,) = json.loads(invoke("list_trash")["body"])
    assert {name: deleted[name] for name in task} == task
    assert deleted["expires_at"] - deleted["deleted_at"] == 30 * 24 * 60 * 60
    assert invoke("create_task")["statusCode"] == 201  # the title is free
    refused = invoke("restore_task", **path)
    assert refused["statusCode"] == 409
    assert json.loads(refused["body"])["task_id"]
    restored = invoke("restore_task", **path, body=json.dumps({"title": "Book another"}))
    assert restored["statusCode"] == 200
    assert restored["multiValueHeaders"]["ETag"] == ['"3"']
    assert json.loads(restored["body"])["title"] == "Book another"
    again = invoke("restore_task", **path)
    assert again["statusCode"] == 404
    assert "trash" in json.loads(again["body"])["detail"]
    invoke("delete_task", **path)
    assert invoke("purge_task", **path)["statusCode"] == 204
    assert invoke("purge_task", **path)["statusCode"] == 404
    assert json.loads(invoke("list_trash")["body"]) == []


@pytest.mark.parametrize("body", ["", None, "{}", '{"title": null}'])
def test_a_restore_needs_no_body(aws: None, body: str | None) -> None:
    path = {"pathParameters": {"task_id": json.loads(invoke("create_task")["body"])["id"]}}
    invoke("delete_task", **path)
    assert invoke("restore_task", **path, body=body)["statusCode"] == 200


@pytest.mark.parametrize(
    ("body", "field"), [("[]", "body"), ("{", "body"), ('{"title": " "}', "title"), ('{"x": 1}', "x")]
)
def test_a_restore_with_another_body_is_refused(aws: None, body: str, field: str) -> None:
    answer = invoke("restore_task", body=body)
    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"][0]["field"] == field


@pytest.mark.parametrize("cursor", ["x", "dHJhc2gveA", "MTc2NzIyNTYwMC83ZDlmMmMxZQ"])
def test_a_cursor_of_another_list_is_refused(aws: None, cursor: str) -> None:
    answer = invoke("list_trash", multiValueQueryStringParameters={"cursor": [cursor]})
    assert answer["statusCode"] == 422
