"""Histories of changes under faults: nothing is half done, and what a caller is told of a change is true."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from migrations.check import problems
from shared import aws
from shared.errors import Contention, TaskNotFound, TitleTaken, Unavailable
from shared.tasks.listing import TaskListing
from shared.tasks.status_index import StatusShards
from shared.tasks.store import TaskStore
from shared.tasks.task import Task, TaskQuery
from tests.aws import empty_tables
from tests.drafts import Draft, changing
from tests.faults import FAULTS, Faults

TITLES = [f"Title {number}" for number in range(6)]
Tasks = dict[str, Task]


@pytest.fixture
def clients(local_aws: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Makes clients of tables that are empty at first."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws)
    empty_tables(aws.client("dynamodb"))
    return lambda: aws.client("dynamodb")


def assert_consistent(client: Any) -> None:
    found = [each for each in problems(client, "TasksTable", StatusShards(), rate=10**6) if each]
    assert found == []


def stored(client: Any) -> Tasks:
    page = TaskListing(client).page(TaskQuery(limit=100))
    return {task.id: task for task in page.tasks}


class Caller:
    """One who changes tasks, and knows what must be there then."""

    def __init__(self, client: Any, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (a history that can be repeated)
        self.store = TaskStore(lambda: None, client=client)

    def act(self, known: Tasks) -> list[Tasks]:
        """Do something; returns what may be stored afterwards."""
        title = self.random.choice(TITLES)
        if not known or self.random.random() < 0.4:
            return self._outcomes(known, lambda: self._create(title, known), None, title)
        task_id = self.random.choice(sorted(known))
        if self.random.random() < 0.3:
            return self._outcomes(known, lambda: self._delete(task_id, known), task_id, None)
        return self._outcomes(known, lambda: self._rename(task_id, title, known), task_id, title)

    def _create(self, title: str, known: Tasks) -> Tasks:
        task = self.store.create(Draft(title), created_by="ada").task
        return {**known, task.id: task}

    def _rename(self, task_id: str, title: str, known: Tasks) -> Tasks:
        return {**known, task_id: self.store.update(task_id, changing(title=title))}

    def _delete(self, task_id: str, known: Tasks) -> Tasks:
        self.store.delete(task_id)
        return {key: task for key, task in known.items() if key != task_id}

    def _outcomes(
        self, known: Tasks, change: Callable[[], Tasks], task_id: str | None, title: str | None
    ) -> list[Tasks]:
        try:
            return [change()]
        except (TitleTaken, Unavailable, Contention, TaskNotFound):
            return [known]  # nothing was changed: that is what they say
        except (BotoCoreError, ClientError):
            return [known, self._changed(known, task_id, title)]

    @staticmethod
    def _changed(known: Tasks, task_id: str | None, title: str | None) -> Tasks:
        """What is there if a change was made of which nobody was told; titles alone can be compared."""
        others = {key: task for key, task in known.items() if key != task_id}
        if title is None:
            return others
        return {**others, "?": Task("?", title, None, None, 0, 0, "", 0)}  # type: ignore[arg-type]


def titles(tasks: Tasks) -> list[str]:
    return sorted(task.title for task in tasks.values())


@pytest.mark.parametrize("seed", range(6))
def test_what_a_caller_is_told_of_a_change_is_true(
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


def test_callers_at_once_leave_nothing_half_done(
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
