"""Reminders, with moto: each task that becomes due is told of once, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.tasks import reminders as module
from shared.tasks.bus import EventBus
from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.reminders import Reminders
from shared.tasks.store import TaskStore
from shared.tasks.task import Task, TaskStatus
from tests.nightly import often
from tests.task_events import Bus
from tests.tasks import changing, new_task

START = 1_800_000_000
SHARDS = StatusShards(2, 3)


class World:
    """Tasks, and reminders that run when they are told to, by one clock."""

    def __init__(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = float(START)
        clock = SimpleNamespace(time=lambda: self.now, time_ns=lambda: int(self.now * 1_000_000) * 1_000)
        monkeypatch.setattr("shared.tasks.reminders.time", clock)
        monkeypatch.setattr("shared.tasks.task.time", clock)
        self.client = client
        self.bus = Bus()
        self.store = TaskStore(lambda: None, client=client, table="TasksTable", shards=SHARDS)
        self.reminders = self.another()

    def another(self) -> Reminders:
        listing = TaskListing(self.client, "TasksTable", SHARDS)
        return Reminders(listing, EventBus(self.bus, "bus"), self.client, "NotifiedTable")  # type: ignore[arg-type]

    def task(self, due_in: int | None, title: str = "Buy milk") -> Task:
        due_at = None if due_in is None else int(self.now) + due_in
        return self.store.create(new_task(title, due_at=due_at)).task

    def change(self, task: Task, **fields: Any) -> None:
        self.store.update(task.id, changing(**fields))

    def run(self, after: float = 60) -> list[str]:
        """Let time pass, and remind; returns the ids of the tasks that are told of."""
        self.now += after
        before = len(self.bus.calls)
        self.reminders.send()
        return self.told(self.bus.calls[before:])

    def told(self, calls: Iterable[Any]) -> list[str]:
        events = [event for call in calls for event in call]
        assert {event["type"] for event in events} <= {"task.due"}
        return [event["subject"] for event in events]


class Planned(NamedTuple):
    due_at: int | None
    set_at: float
    is_open: bool = True


@pytest.fixture
def world(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(dynamodb, monkeypatch)
    world.reminders.send()
    return world


def test_a_task_is_told_of_once_when_it_becomes_due(world: World) -> None:
    task = world.task(due_in=90)
    assert [world.run() for _ in range(8)] == [[], [task.id], *[[]] * 6]
    ((event,),) = world.bus.calls
    assert event["id"] == f"{task.id}:due:{task.due_at}"
    assert (event["time"], event["data"]["by"]) == ("2027-01-15T08:01:30Z", None)
    assert event["data"]["task"]["due_at"] == task.due_at


def test_what_is_done_moved_away_or_has_no_date_is_not_told_of(world: World) -> None:
    done, deleted, moved, cleared = (world.task(90, f"Task {number}") for number in range(4))
    world.task(None, "Some day")
    world.run()
    world.change(done, status=TaskStatus.COMPLETED)
    world.store.delete(deleted.id)
    world.change(moved, due_at=START + 600)
    world.change(cleared, due_at=None)
    assert [world.run() for _ in range(12)] == [*[[]] * 8, [moved.id], *[[]] * 3]


def test_a_date_that_was_past_when_it_was_set_is_not_told_of(world: World) -> None:
    late, now = world.task(-1, "Late"), world.task(0, "Now")
    planned = world.task(None, "Planned later")
    world.run(after=30)
    world.change(planned, due_at=int(world.now) - 10)
    world.change(late, title="Late, and with another title")
    world.change(now, status=TaskStatus.IN_PROGRESS)
    assert world.run(after=30) == world.run() == []


def test_what_was_due_before_the_first_run_is_not_told_of(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(dynamodb, monkeypatch)
    world.task(60, "Long ago")
    world.run(after=120)
    soon = world.task(30, "Soon")
    assert world.run() == [soon.id]


def test_a_change_just_after_it_was_due_does_not_tell_of_it_again(world: World) -> None:
    task = world.task(30)
    assert world.run() == [task.id]
    world.now += 10
    world.change(task, status=TaskStatus.IN_PROGRESS)
    assert world.run() == world.run() == []


def test_a_date_that_is_moved_on_is_told_of_again(world: World) -> None:
    task = world.task(30)
    assert world.run() == [task.id]
    world.change(task, due_at=int(world.now) + 90)
    assert [world.run() for _ in range(3)] == [[], [task.id], []]
    assert len({event["id"] for (event,) in world.bus.calls}) == 2


def test_a_sleep_is_caught_up_with_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 4)
    tasks = [world.task(due_in, f"Task {due_in}") for due_in in (9_000, 100, 5_000, 200, 30_000, 7_000, 400)]
    by_date = sorted(tasks, key=lambda task: task.due_at or 0)
    assert world.run(after=24 * 3600) == [task.id for task in by_date]
    assert world.run() == []


def test_many_that_are_due_in_the_same_second_are_told_of_over_an_interruption(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 5)
    ids = {world.task(60, f"Task {number}").id for number in range(23)}
    monkeypatch.setattr(module, "remaining", iter([99, 99, 99, 1]).__next__)
    assert len(first := world.run()) == 15
    monkeypatch.setattr(module, "remaining", lambda: 99)
    assert len(rest := world.run()) == 8
    assert {*first, *rest} == ids
    assert world.run() == []


def test_what_the_bus_refuses_is_told_of_by_the_next_run(world: World) -> None:
    tasks = sorted((world.task(30, f"Task {number}") for number in range(14)), key=lambda task: task.id)
    world.bus.refused = {f"{tasks[11].id}:due:{tasks[11].due_at}"}
    with pytest.raises(Unavailable):
        world.run()
    world.bus.refused.clear()
    world.bus.calls.clear()
    assert world.run() == [task.id for task in tasks[11:]]
    assert world.run() == []


def test_what_the_index_had_not_yet_is_told_of_later(world: World) -> None:
    """Also what was set a moment before it was due."""
    task = world.task(1)
    item = world.client.get_item(TableName="TasksTable", Key={"pk": {"S": f"TASK#{task.id}"}})["Item"]
    unindexed = {name: value for name, value in item.items() if name != "due"}
    world.client.put_item(TableName="TasksTable", Item=unindexed)
    assert world.run() == []
    world.client.put_item(TableName="TasksTable", Item=item)
    assert world.run() == [task.id]
    assert world.run() == []


def test_a_clock_that_was_ahead_ends_no_reminders(world: World) -> None:
    world.run(after=10_000)
    world.now -= 10_000
    task = world.task(30)
    assert world.run() == [task.id]


def test_two_at_once_leave_nothing_out(world: World) -> None:
    """They may tell twice, by events of the same id."""
    tasks = [world.task(30, f"Task {number}") for number in range(3)]
    other, page = world.another(), world.reminders._listing.page

    def page_while_another_runs(query: Any) -> Any:
        found = page(query)
        other.send()
        return found

    world.reminders._listing = SimpleNamespace(page=page_while_another_runs)  # type: ignore[assignment]
    assert set(world.run()) == {task.id for task in tasks}
    assert len({event["id"] for call in world.bus.calls for event in call}) == 3
    assert world.run() == []


@given(data=st.data())
@settings(max_examples=often(by_day=25, at_night=300), deadline=None)
def test_whatever_changes_what_is_due_and_open_is_told_of_once(
    data: st.DataObject, empty_aws: Callable[[], None]
) -> None:
    """One that is opened again within minutes of its date may be told of, and need not be."""
    empty_aws()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "_PAGE", 3)
        world = World(boto3.client("dynamodb"), monkeypatch)
        world.reminders.send()
        tasks: dict[str, Planned] = {}
        looked_at: set[tuple[str, int]] = set()
        must: set[tuple[str, int]] = set()
        may: set[tuple[str, int]] = set()
        for step in range(data.draw(st.integers(1, 12))):
            world.now += data.draw(st.integers(1, 40))
            kind = data.draw(st.sampled_from(["create", "move", "finish", "open", "run", "run"]))
            due_in = data.draw(st.none() | st.integers(-50, 200))
            if kind == "run":
                due = {
                    (task_id, each.due_at): each.is_open
                    for task_id, each in tasks.items()
                    if each.due_at and each.set_at < each.due_at <= world.now
                }
                may |= {task for task, is_open in due.items() if is_open}
                must |= {task for task, is_open in due.items() if is_open and task not in looked_at}
                looked_at |= due.keys()
                world.run(after=0)
            elif kind == "create":
                task = world.task(due_in, f"Task {step}")
                tasks[task.id] = Planned(task.due_at, world.now)
            elif tasks:
                task_id = data.draw(st.sampled_from(sorted(tasks)))
                planned = tasks[task_id]
                if kind == "move":
                    due_at = None if due_in is None else int(world.now) + due_in
                    world.store.update(task_id, changing(due_at=due_at))
                    if due_at != planned.due_at:
                        tasks[task_id] = planned._replace(due_at=due_at, set_at=world.now)
                else:
                    status = TaskStatus.PENDING if kind == "open" else TaskStatus.COMPLETED
                    world.store.update(task_id, changing(status=status))
                    tasks[task_id] = planned._replace(is_open=kind == "open")
        events = [event["data"]["task"] for call in world.bus.calls for event in call]
        told = [(task["id"], task["due_at"]) for task in events]
        assert len(told) == len(set(told))
        assert must <= set(told) <= may
