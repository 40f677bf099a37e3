"""Reminders, on moto: each task that becomes due is published once, whatever happens meanwhile."""

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
from shared.tasks.reminder_progress import Progress
from shared.tasks.reminders import Reminders
from shared.tasks.store import TaskStore
from shared.tasks.table import task_key
from shared.tasks.task import Task, TaskStatus
from tests.nightly import often
from tests.task_events import Bus
from tests.tasks import changing, new_task

START = 1_800_000_000
SHARDS = StatusShards(2, 3)


class World:
    """Tasks, and reminders that run when a test calls them, by one clock."""

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
        bus: Any = self.bus
        return Reminders(listing, EventBus(bus, "bus"), Progress(self.client, "NotifiedTable"))

    def task(self, due_in: int | None, title: str = "Buy milk") -> Task:
        due_at = None if due_in is None else int(self.now) + due_in
        return self.store.create(new_task(title, due_at=due_at)).task

    def change(self, task: Task, **fields: Any) -> None:
        self.store.update(task.id, changing(**fields))

    def run(self, after: float = 60) -> list[str]:
        """Let time pass, and send reminders; returns the ids of the published tasks."""
        self.now += after
        before = len(self.bus.calls)
        self.reminders.send()
        return self.published(self.bus.calls[before:])

    def recorded(self) -> int:
        """How many tasks the record of published tasks holds."""
        key = {"id": {"S": "remind-memory"}}
        by_date = self.client.get_item(TableName="NotifiedTable", Key=key)["Item"]["told"]["M"]
        return sum(len(digests["B"]) for digests in by_date.values()) // 8

    def hide(self, task: Task) -> None:
        """Remove a task from the due index."""
        self._hidden = self.client.get_item(TableName="TasksTable", Key=task_key(task.id))["Item"]
        lacking = {name: value for name, value in self._hidden.items() if name != "due"}
        self.client.put_item(TableName="TasksTable", Item=lacking)

    def show(self) -> None:
        """Put the hidden task back into the index."""
        self.client.put_item(TableName="TasksTable", Item=self._hidden)

    def published(self, calls: Iterable[Any]) -> list[str]:
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


def test_a_due_task_is_published_once(world: World) -> None:
    task = world.task(due_in=90)
    assert [world.run() for _ in range(8)] == [[], [task.id], *[[]] * 6]
    ((event,),) = world.bus.calls
    assert event["id"] == f"{task.id}:due:{task.due_at}"
    assert (event["time"], event["data"]["by"]) == ("2027-01-15T08:01:30Z", None)
    assert event["data"]["task"]["due_at"] == task.due_at


def test_completed_moved_and_dateless_tasks_are_not_published(world: World) -> None:
    done, deleted, moved, cleared = (world.task(90, f"Task {number}") for number in range(4))
    world.task(None, "Some day")
    world.run()
    world.change(done, status=TaskStatus.COMPLETED)
    world.store.delete(deleted.id)
    world.change(moved, due_at=START + 600)
    world.change(cleared, due_at=None)
    assert [world.run() for _ in range(12)] == [*[[]] * 8, [moved.id], *[[]] * 3]


def test_a_date_set_in_the_past_is_not_published(world: World) -> None:
    late, now = world.task(-1, "Late"), world.task(0, "Now")
    planned = world.task(None, "Planned later")
    world.run(after=30)
    world.change(planned, due_at=int(world.now) - 10)
    world.change(late, title="Late, and with another title")
    world.change(now, status=TaskStatus.IN_PROGRESS)
    assert world.run(after=30) == world.run() == []


def test_the_first_run_publishes_only_the_last_minutes(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(dynamodb, monkeypatch)
    world.task(60, "Long ago")
    world.now += 500
    soon = world.task(30, "Soon")
    assert world.run() == [soon.id]


def test_a_change_just_after_the_due_date_publishes_nothing_again(world: World) -> None:
    task = world.task(30)
    assert world.run() == [task.id]
    world.now += 10
    world.change(task, status=TaskStatus.IN_PROGRESS)
    assert world.run() == world.run() == []


def test_a_later_date_is_published_again(world: World) -> None:
    task = world.task(30)
    assert world.run() == [task.id]
    world.change(task, due_at=int(world.now) + 90)
    assert [world.run() for _ in range(3)] == [[], [task.id], []]
    assert len({event["id"] for (event,) in world.bus.calls}) == 2


def test_a_late_run_catches_up_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 4)
    tasks = [world.task(due_in, f"Task {due_in}") for due_in in (9_000, 100, 5_000, 200, 30_000, 7_000, 400)]
    by_date = sorted(tasks, key=lambda task: task.due_at or 0)
    assert world.run(after=24 * 3600) == [task.id for task in by_date]
    assert world.run() == []


def test_tasks_due_in_the_same_second_are_published_across_an_interruption(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 5)
    ids = {world.task(60, f"Task {number}").id for number in range(43)}
    published = []
    for _ in range(4):  # time for two pages: too little to read all published tasks again
        monkeypatch.setattr(module, "remaining", iter([99] * 4 + [1] * 9).__next__)
        published.append(world.run())
    assert [len(each) for each in published] == [10] * 4
    monkeypatch.setattr(module, "remaining", lambda: 99)
    published.append(world.run())
    assert {task_id for each in published for task_id in each} == ids
    assert len(published[-1]) == 3
    assert world.run() == world.run(after=300) == []


@pytest.mark.parametrize("after", [60, 24 * 3600])
def test_refused_events_are_published_by_the_next_run(world: World, after: int) -> None:
    tasks = sorted((world.task(30, f"Task {number}") for number in range(14)), key=lambda task: task.id)
    world.bus.refused = {f"{tasks[11].id}:due:{tasks[11].due_at}"}
    with pytest.raises(Unavailable):
        world.run(after)
    world.bus.refused.clear()
    assert world.run() == [task.id for task in tasks[11:]]
    assert world.run() == []


def test_the_record_of_published_tasks_does_not_grow(world: World) -> None:
    for number in range(12):
        world.task(30, f"Task {number}")
        world.task(5 * 3600, f"Task {number}, later")
        world.run()
    assert 5 <= world.recorded() <= 6
    world.run(after=24 * 3600)
    assert world.recorded() == 0


def test_tasks_that_the_index_lacked_are_published_later(world: World) -> None:
    """Also if the date was set a moment before it was due."""
    task = world.task(1)
    world.hide(task)
    assert world.run() == []
    world.show()
    assert world.run() == [task.id]
    assert world.run() == []


@pytest.mark.parametrize("is_from_the_start", [False, True])
def test_reminders_continue_after_a_clock_was_ahead(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch, is_from_the_start: bool
) -> None:
    world = World(dynamodb, monkeypatch)
    if not is_from_the_start:
        world.run()
    world.run(after=10_000)
    world.now -= 10_000
    world.task(5_000, "Far ahead")
    task = world.task(30)
    assert world.run() == [task.id]
    late = world.task(1, "Late in the index")
    world.hide(late)
    assert world.run() == []
    world.show()
    assert world.run() == [late.id]


def test_records_of_a_fast_clock_do_not_block(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if the next run is late, and more tasks were published than the record holds."""
    monkeypatch.setattr("shared.tasks.reminder_progress._MAX_PUBLISHED", 3)
    for number in range(5):
        world.task(90_000, f"Of tomorrow, {number}")
    assert len(world.run(after=100_000)) == 5
    world.now -= 100_000
    assert world.run() == []
    task = world.task(30)
    assert world.run(after=1_000) == [task.id]


def test_a_failed_look_back_is_repeated(world: World) -> None:
    task = world.task(1)
    world.hide(task)
    assert world.run() == []
    world.show()
    world.bus.refused = {f"{task.id}:due:{task.due_at}"}
    for _ in range(8):
        with pytest.raises(Unavailable):
            world.run()
    world.bus.refused.clear()
    assert [world.run() for _ in range(3)] == [[task.id], [], []]


def test_a_failed_first_run_is_repeated(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(dynamodb, monkeypatch)
    task = world.task(30)
    world.bus.refused = {f"{task.id}:due:{task.due_at}"}
    for _ in range(8):
        with pytest.raises(Unavailable):
            world.run()
    world.bus.refused.clear()
    assert [world.run() for _ in range(2)] == [[task.id], []]


def test_a_slow_bus_gets_no_event_twice_and_lateness_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = {world.task(60, f"Task {number}").id for number in range(90)}
    left, put_events = [0.0], world.bus.put_events

    def put_slowly(**entries: Any) -> Any:
        left[0] -= 4
        return put_events(**entries)

    monkeypatch.setattr(world.bus, "put_events", put_slowly)
    monkeypatch.setattr(module, "remaining", lambda: left[0])
    published = []
    for _ in range(20):
        left[0] = 9
        published += world.run()
    assert len(published) == 90
    assert set(published) == ids
    counted = capsys.readouterr().out.count('"RemindersLate":[1.0]')
    assert counted == 4, "from five minutes of lateness until all are published"


def test_more_tasks_than_the_record_holds_are_published_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For their dates, tasks that the index lacked are not published later; for later dates they are."""
    monkeypatch.setattr("shared.tasks.reminder_progress._MAX_PUBLISHED", 3)
    monkeypatch.setattr(module, "_PAGE", 2)
    ids = {world.task(30, f"Task {number}").id for number in range(7)}
    assert set(world.run()) == ids
    for task_id in ids:
        world.store.update(task_id, changing(description="changed"))
    late = world.task(40, "Late")
    world.hide(late)
    assert world.run() == []
    world.show()
    assert [world.run() for _ in range(3)] == [[late.id], [], []]


def test_two_concurrent_runs_leave_nothing_out(world: World) -> None:
    """They may publish an event twice, with the same id."""
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
def test_due_tasks_are_published_once_whatever_changes(
    data: st.DataObject, empty_aws: Callable[[], None]
) -> None:
    """A task that is reopened within minutes of its date may be published, and need not be."""
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
        published = [(task["id"], task["due_at"]) for task in events]
        assert len(published) == len(set(published))
        assert must <= set(published) <= may
