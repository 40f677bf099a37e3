"""Random changes under faults: none is half applied, and each response says truly whether it was applied."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from shared import aws
from shared.errors import Contention, NotInTrash, TaskNotFound, TitleTaken, Unavailable
from shared.tasks.changes import ChangeDocument
from shared.tasks.document import task_document
from shared.tasks.history import TaskHistory
from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.task import NOBODY, Task
from shared.tasks.trash import Trash
from tests.faults import FAULTS, Faults
from tests.nightly import often
from tests.tasks import changing, new_task
from tools.migrations.check import problems

TITLES = [f"Title {number}" for number in range(6)]
ACTS = ("create", "with key", "rename", "swap", "delete", "delete", "restore", "restore", "purge")
Tasks = dict[str, Task]


@pytest.fixture
def clients(emulated_dynamodb: Any) -> Callable[[], Any]:
    """Makes clients of DynamoDB. The tables are empty at first."""
    return lambda: aws.client("dynamodb")


def assert_consistent(client: Any) -> None:
    found = [each for each in problems(client, "TasksTable", StatusShards(), rate=10**6) if each]
    assert found == []
    for task in stored(client).values():
        assert_adds_up(history_of(client, task.id), task)
    for trashed in Trash(client=client).page(100).tasks:
        changes = history_of(client, trashed.task.id)
        assert changes[0]["type"] == "task.deleted"
        assert_adds_up(changes, trashed.task)


def history_of(client: Any, task_id: str) -> list[ChangeDocument]:
    page = TaskHistory(client).page(task_id, 100)
    changes = page.changes
    while page.next:
        page = TaskHistory(client).page(task_id, 100, page.next)
        changes += page.changes
    return changes


def assert_adds_up(changes: list[ChangeDocument], task: Task) -> None:
    """Check that a history has each version of a task, and that its changes add up to the task."""
    assert [change["version"] for change in changes] == list(range(task.version, 0, -1))
    fields: dict[str, Any] = {"description": None, "assignee": None, "due_at": None, "labels": []}
    for change in reversed(changes):
        for name, (before, after) in change["changes"].items():
            assert fields.get(name) == before
            fields[name] = after
    document: Any = task_document(task)
    assert fields == {name: document[name] for name in fields}


def stored(client: Any) -> Tasks:
    page = TaskListing(client).page(TaskQuery(limit=100))
    return {task.id: task for task in page.tasks}


class Caller:
    """Changes tasks at random, and knows which ones must then be stored."""

    def __init__(self, client: Any, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (a history that can be repeated)
        self.store = TaskStore(lambda: None, client=client)
        self.trash = Trash(lambda: None, client=client)
        self._deleted: dict[str, str] = {}
        """Titles by id of tasks that may be in the trash."""
        self._unsure: dict[str, str] = {}
        """Titles by idempotency key, of requests whose outcome is unknown."""

    def act(self, known: Tasks) -> list[Tasks]:
        """Make a random change; returns the states that may be stored afterwards."""
        what, title = self.random.choice(ACTS), self._title()
        if what == "with key":
            return self._create_with_key(known)
        if what in {"restore", "purge"}:
            return self._end_deletion(what, known)
        if not known or what == "create":
            return self._outcomes(known, lambda: self._create(title, known), None, title)
        if what == "swap" and len(known) > 1:
            return self._swap(known)
        task_id = self.random.choice(sorted(known))
        if what == "delete":
            return self._outcomes(known, lambda: self._delete(task_id, known), task_id, None)
        return self._outcomes(known, lambda: self._rename(task_id, title, known), task_id, title)

    def _title(self) -> str:
        return self.random.choice(TITLES)

    def _create(self, title: str, known: Tasks, key: str | None = None) -> Tasks:
        task, is_replay = self.store.create(new_task(title), key=key)
        return known if is_replay else {**known, task.id: task}

    def _create_with_key(self, known: Tasks) -> list[Tasks]:
        """Create a task, or retry a request that may have created one."""
        key, title = self._unsure.popitem() if self._unsure else (str(self.random.random()), self._title())
        outcomes = self._outcomes(known, lambda: self._create(title, known, key), None, title)
        if len(outcomes) > 1:
            self._unsure[key] = title
        return outcomes

    def _swap(self, known: Tasks) -> list[Tasks]:
        first, second = self.random.sample(sorted(known), 2)
        old = known[first].title, known[second].title
        for task_id, title in ((first, "Spare"), (second, old[0]), (first, old[1])):
            rename = partial(self._rename, task_id, title, known)
            outcomes = self._outcomes(known, rename, task_id, title)
            if outcomes[0] is known:  # it failed, or may have
                return outcomes
            known = outcomes[0]
        return [known]

    def _rename(self, task_id: str, title: str, known: Tasks) -> Tasks:
        return {**known, task_id: self.store.update(task_id, changing(title=title))}

    def _end_deletion(self, what: str, known: Tasks) -> list[Tasks]:
        """Restore or purge a task that this caller deleted, or may have deleted."""
        if not self._deleted:
            return [known]
        task_id = self.random.choice(sorted(self._deleted))
        if what == "purge":
            return self._outcomes(known, lambda: self._purge(task_id, known), "", None)
        title = self.random.choice([None, self._title()])
        restored = title or self._deleted[task_id]
        return self._outcomes(known, lambda: self._restore(task_id, title, known), task_id, restored)

    def _purge(self, task_id: str, known: Tasks) -> Tasks:
        self.trash.purge(task_id, author=NOBODY)
        return known

    def _restore(self, task_id: str, title: str | None, known: Tasks) -> Tasks:
        return {**known, task_id: self.trash.restore(task_id, author=NOBODY, title=title)}

    def _delete(self, task_id: str, known: Tasks) -> Tasks:
        self._deleted[task_id] = known[task_id].title
        self.store.delete(task_id)
        return {key: task for key, task in known.items() if key != task_id}

    def _outcomes(
        self, known: Tasks, change: Callable[[], Tasks], task_id: str | None, title: str | None
    ) -> list[Tasks]:
        try:
            return [change()]
        except (TitleTaken, Unavailable, Contention, TaskNotFound, NotInTrash):
            return [known]  # these errors say that nothing was changed
        except (BotoCoreError, ClientError):
            return [known, self._changed(known, task_id, title)]

    @staticmethod
    def _changed(known: Tasks, task_id: str | None, title: str | None) -> Tasks:
        """The state if a change was applied although its call failed. Only the titles can be compared."""
        others = {key: task for key, task in known.items() if key != task_id}
        if title is None:
            return others
        return {**others, "?": new_task(title)}


def titles(tasks: Tasks) -> list[str]:
    return sorted(task.title for task in tasks.values())


@pytest.mark.parametrize("seed", range(often(2, 30)))
def test_responses_to_changes_are_true(
    clients: Callable[[], Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, known = clients(), dict[str, Task]()
    faults, caller = Faults(client, monkeypatch), Caller(client, seed)
    for _ in range(60):
        faults.then(*caller.random.choices([*FAULTS, *[None] * 9], k=caller.random.randrange(1, 12)))
        allowed = caller.act(known)
        faults.then()
        known = stored(client)
        assert titles(known) in [titles(each) for each in allowed]
        assert_consistent(client)


def test_concurrent_callers_leave_no_change_half_applied(
    clients: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(seed: int) -> None:
        client = clients_of_all[seed]
        caller, quiet = Caller(client, seed), clients_of_all[-1]
        for _ in range(40):
            faults_of_all[seed].then(*caller.random.choices([*FAULTS, *[None] * 9], k=3), None)
            caller.act(stored(quiet))
        faults_of_all[seed].then()

    clients_of_all = [clients() for _ in range(5)]
    faults_of_all = [Faults(client, monkeypatch) for client in clients_of_all[:4]]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    assert_consistent(clients_of_all[-1])
    held = titles(stored(clients_of_all[-1]))
    assert len(held) == len(set(held))
