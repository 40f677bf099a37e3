"""Migrations: complete, applied once, resumed after an interruption, and safe while functions write."""

from __future__ import annotations

import itertools
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.backends import get_backend
from moto.core.botocore_stubber import BotocoreStubber

from shared.aws import Item
from shared.errors import TaskNotFound, TitleTaken
from shared.tasks.indexes import INDEX_ATTRIBUTES, StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.table import item_from_task
from shared.tasks.task import NOBODY, Task, TaskStatus
from shared.tasks.trash import Trash
from shared.tasks.trash_items import trash_key
from tests.aws import deploy
from tests.nightly import often
from tests.tasks import changing, new_task
from tests.template import TEMPLATE
from tools.local.backends.environment import ACCOUNT, REGION
from tools.migrations import __main__ as command
from tools.migrations import runner
from tools.migrations.check import problems
from tools.migrations.m0001_status_shards import move_tasks_to_their_shards
from tools.migrations.m0002_composed_titles import compose_titles
from tools.migrations.m0004_index_attributes import compute_index_attributes
from tools.migrations.m0005_trash_index import index_the_trash
from tools.migrations.runner import Change, Migration, MigrationError, Progress, Runner, TakenOver

TABLES = {"TasksTable": "TasksTable", "HistoryTable": "HistoryTable"}
ITEMS = 60
"""30 tasks, and their titles."""

numbers = itertools.count()
statuses = itertools.cycle(TaskStatus)


def nothing(_progress: Progress) -> None:
    return


def create(store: TaskStore) -> Task:
    return store.create(new_task(f"Task {next(numbers)}", status=next(statuses))).task


def to_shards(shards: str) -> Migration:
    return move_tasks_to_their_shards({"StatusShards": shards})


def listed(client: Any, shards: str) -> list[Task]:
    return TaskListing(client, shards=StatusShards.parse(shards)).page(TaskQuery(limit=100)).tasks


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(runner, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_PAGE_SIZE", 7)
    monkeypatch.setattr(runner, "_WRITERS", 4)


@pytest.fixture(autouse=True)
def _serial_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto handle one request at a time, because it is not thread-safe."""
    lock = threading.Lock()
    handle = BotocoreStubber.process_request

    def handle_alone(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return handle(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", handle_alone)


@pytest.fixture
def tasks(dynamodb: Any) -> list[Task]:
    store = TaskStore(lambda: None, client=dynamodb)
    return [create(store) for _ in range(ITEMS // 2)][::-1]


@pytest.fixture
def migrations(dynamodb: Any, tasks: list[Task]) -> Runner:
    return Runner(dynamodb, TABLES)


def calls_of(client: Any, operation: str) -> list[str]:
    calls: list[str] = []
    client.meta.events.register(
        f"before-call.dynamodb.{operation}", lambda model, **_: calls.append(model.name)
    )
    return calls


@pytest.mark.parametrize("shards", ["2", "3", "16"])
def test_the_list_is_the_same_before_during_and_after_a_migration(
    migrations: Runner, dynamodb: Any, tasks: list[Task], shards: str
) -> None:
    assert listed(dynamodb, shards) == tasks
    pages: list[Progress] = []

    def look(progress: Progress) -> None:
        pages.append(progress)
        assert listed(dynamodb, shards) == tasks

    done = migrations.apply(to_shards(shards), look)
    assert replace(pages[-1], finished_at=done.finished_at) == done
    assert ITEMS <= done.read <= ITEMS + 1  # the migration's own record may be among them
    assert len(pages) > ITEMS // 7
    assert done.changed > 0
    assert listed(dynamodb, shards) == tasks
    assert listed(dynamodb, "1") != tasks

    back = f"1/{shards}"
    assert listed(dynamodb, back) == tasks
    assert migrations.apply(to_shards(back), nothing).changed == done.changed
    assert listed(dynamodb, "1") == tasks


def test_moving_a_task_does_not_change_it(migrations: Runner, dynamodb: Any, tasks: list[Task]) -> None:
    migrations.apply(to_shards("4"), nothing)
    assert [TaskStore(lambda: None, client=dynamodb).get(task.id) for task in tasks] == tasks


def test_an_applied_migration_is_repeated_only_on_request(migrations: Runner, dynamodb: Any) -> None:
    scans, updates = calls_of(dynamodb, "Scan"), calls_of(dynamodb, "UpdateItem")
    done = migrations.apply(to_shards("4"), nothing)
    made = len(updates)
    assert made == done.changed
    scans.clear()
    assert migrations.apply(to_shards("4"), nothing) == done
    assert not scans
    assert migrations.apply(to_shards("4"), nothing, again=True).changed == 0
    assert scans
    assert len(updates) == made


def test_another_count_of_shards_is_another_migration(migrations: Runner) -> None:
    migrations.apply(to_shards("4"), nothing)
    assert migrations.progress(to_shards("4/8")) is not None
    assert migrations.progress(to_shards("8")) is None


class Crash(Exception):
    pass


def crashing(migration: Migration, *, at: int) -> Migration:
    looked_at = itertools.count(1)

    def change(item: Item) -> Change | None:
        if next(looked_at) == at:
            raise Crash
        return migration.change(item)

    return replace(migration, change=change)


@pytest.mark.parametrize("at", [1, 20, ITEMS])
def test_an_interrupted_run_resumes(migrations: Runner, dynamodb: Any, tasks: list[Task], at: int) -> None:
    with pytest.raises(Crash):
        migrations.apply(crashing(to_shards("4"), at=at), nothing)
    interrupted = migrations.progress(to_shards("4"))
    assert interrupted is not None
    assert interrupted.finished_at is None
    assert at - 7 <= interrupted.read < at
    assert listed(dynamodb, "4") == tasks
    looked_at = calls_of(dynamodb, "Scan")
    done = migrations.apply(to_shards("4"), nothing)
    assert len(looked_at) <= (ITEMS - interrupted.read) // 7 + 2
    assert ITEMS <= done.read <= ITEMS + 1
    assert migrations.apply(to_shards("4"), nothing, again=True).changed == 0


def test_the_later_of_two_runs_takes_over(migrations: Runner, dynamodb: Any, tasks: list[Task]) -> None:
    finished: list[Progress] = []

    def begin_another(_progress: Progress) -> None:
        if not finished:
            finished.append(migrations.apply(to_shards("4"), nothing))

    with pytest.raises(TakenOver):
        migrations.apply(to_shards("4"), begin_another)
    assert migrations.progress(to_shards("4")) == finished[0]
    assert listed(dynamodb, "4") == tasks


def interfering(migration: Migration, act: Callable[[str], object]) -> Migration:
    """Call `act` for each task, after it was read and before it is moved."""
    done: set[str] = set()

    def change(item: Item) -> Change | None:
        result = migration.change(item)
        if result and item["id"]["S"] not in done:
            done.add(item["id"]["S"])
            act(item["id"]["S"])
        return result

    return replace(migration, change=change)


@pytest.mark.parametrize("writers", ["1", "4"], ids=["old functions", "new functions"])
def test_a_change_of_status_at_the_same_time_is_kept(
    migrations: Runner, dynamodb: Any, tasks: list[Task], writers: str
) -> None:
    store = TaskStore(lambda: None, client=dynamodb, shards=StatusShards.parse(writers))
    done = TaskStatus.COMPLETED
    migrations.apply(
        interfering(to_shards("4"), lambda task_id: store.update(task_id, changing(status=done))), nothing
    )
    now = listed(dynamodb, "4")
    assert [task.id for task in now] == [task.id for task in tasks]
    assert {task.status for task in now if task.version == 2} == {done}
    assert migrations.apply(to_shards("4"), nothing, again=True).changed == 0


def test_index_keys_of_older_versions_are_recomputed(dynamodb: Any) -> None:
    """An older version changes the status without the index keys of assignees and due dates."""
    right = [
        item_from_task(new_task(f"Task {n}", assignee=assignee, due_at=due_at), StatusShards())
        for n, (assignee, due_at) in enumerate(
            [("ada", 5), ("ada", 5), (None, 5), ("ada", None), (None, None)]
        )
    ]
    stale = {"assignee_status": {"S": "ada#COMPLETED"}, "due": {"S": "000000000009#x"}}
    for item in right[1:]:
        left = {name: value for name, value in item.items() if name not in INDEX_ATTRIBUTES}
        dynamodb.put_item(TableName="TasksTable", Item=left)
        dynamodb.put_item(TableName="TasksTable", Item={**left, **stale, "pk": {"S": f"{left['pk']['S']}0"}})
    dynamodb.put_item(TableName="TasksTable", Item=right[0])
    migration = compute_index_attributes({})
    assert Runner(dynamodb, TABLES).apply(migration, nothing).changed == 3 + 4
    expected = [*right, *({**item, "pk": {"S": f"{item['pk']['S']}0"}} for item in right[1:])]
    found = dynamodb.scan(TableName="TasksTable")["Items"]
    by_key = {item["pk"]["S"]: item for item in found if item["pk"]["S"].startswith("TASK#")}
    assert by_key == {item["pk"]["S"]: item for item in expected}


def test_deletions_of_older_versions_are_listed_in_the_trash(dynamodb: Any) -> None:
    store, trash = TaskStore(lambda: None, client=dynamodb), Trash(lambda: None, client=dynamodb)
    tasks = [store.create(new_task(f"Task {number}")).task for number in range(4)]
    for task in tasks:
        store.delete(task.id)
    trash.purge(tasks[0].id, author=NOBODY)
    for task in tasks[1:3]:
        dynamodb.update_item(
            TableName="TasksTable",
            Key=trash_key(task.id),
            UpdateExpression="REMOVE #status, due",
            ExpressionAttributeNames={"#status": "status"},
        )
    assert len(trash.page(10).tasks) == 1
    assert Runner(dynamodb, TABLES).apply(index_the_trash({}), nothing).changed == 2
    assert {each.task.id for each in trash.page(10).tasks} == {task.id for task in tasks[1:]}


@pytest.mark.parametrize("again", [False, True], ids=["restored", "deleted again"])
def test_tasks_that_leave_the_trash_meanwhile_are_left_alone(dynamodb: Any, again: bool) -> None:
    store, trash = TaskStore(lambda: None, client=dynamodb), Trash(lambda: None, client=dynamodb)
    task = store.create(new_task()).task
    store.delete(task.id)
    dynamodb.update_item(
        TableName="TasksTable", Key=trash_key(task.id), UpdateExpression="SET due = :old",
        ExpressionAttributeValues={":old": {"S": "0"}},
    )  # fmt: skip
    migration, overtaken = index_the_trash({}), []

    def change(item: Item) -> Change | None:
        found = migration.change(item)
        if found and not overtaken:
            overtaken.append(trash.restore(task.id, author=NOBODY))
            if again:
                store.delete(task.id)
        return found

    Runner(dynamodb, TABLES).apply(replace(migration, change=change), nothing)
    assert len(trash.page(10).tasks) == int(again)
    assert [each for each in problems(dynamodb, "TasksTable", StatusShards(), rate=10**6) if each] == []


def test_a_task_deleted_at_the_same_time_stays_deleted(migrations: Runner, dynamodb: Any) -> None:
    store = TaskStore(lambda: None, client=dynamodb, shards=StatusShards(4, 4))
    migrations.apply(interfering(to_shards("4"), store.delete), nothing)
    for item in dynamodb.scan(TableName="TasksTable")["Items"]:
        key = item["pk"]["S"]
        assert not key.startswith("TASK#") or to_shards("4").change(item) is None


def test_a_task_held_by_a_transaction_is_moved_after_it(migrations: Runner, dynamodb: Any) -> None:
    held: set[str] = set()

    def hold_once(params: Any, **_: Any) -> None:
        if params["body"] not in held:
            held.add(params["body"])
            conflict = {"Error": {"Code": "TransactionConflictException"}}
            raise dynamodb.exceptions.TransactionConflictException(conflict, "UpdateItem")

    dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", hold_once)
    done = migrations.apply(to_shards("4"), nothing)
    assert done.changed == len(held) > 0
    assert migrations.apply(to_shards("4"), nothing, again=True).changed == 0


@pytest.mark.parametrize("seconds", [0, 0.05, 1], ids=["no time", "some time", "longer than the rate allows"])
def test_changes_are_spread_over_time(
    dynamodb: Any, tasks: list[Task], clock: Clock, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long each change takes."""
    monkeypatch.setattr(runner, "_WRITERS", 1)  # all writers share the clock
    monkeypatch.setattr(runner, "_LOOK_PAUSE", 0)
    dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", lambda **_: clock.sleep(seconds))
    began = clock.now
    done = Runner(dynamodb, TABLES, rate=10).apply(to_shards("4"), nothing)
    assert clock.now - began == pytest.approx(done.changed * max(seconds, 1 / 10))


class TestLeftovers:
    """Items that functions wrote with another count of shards than the migration's."""

    @pytest.fixture
    def other(self, dynamodb: Any) -> TaskStore:
        return TaskStore(lambda: None, client=dynamodb, shards=StatusShards(8, 8))

    def test_an_earlier_record_does_not_hide_leftovers(
        self, migrations: Runner, dynamodb: Any, tasks: list[Task], other: TaskStore
    ) -> None:
        migrations.apply(to_shards("1"), nothing)
        tasks = [*[create(other) for _ in range(20)][::-1], *tasks]
        assert migrations.progress(to_shards("1/8")) is None
        done = migrations.apply(to_shards("1/8"), nothing)
        assert listed(dynamodb, "1") == tasks
        assert migrations.progress(to_shards("1/8")) == done

    def test_a_resumed_run_finds_leftovers_before_its_position(
        self, migrations: Runner, dynamodb: Any, tasks: list[Task], other: TaskStore
    ) -> None:
        with pytest.raises(Crash):
            migrations.apply(crashing(to_shards("1/8"), at=40), nothing)
        tasks = [other.update(task.id, changing(status=next(statuses))) for task in tasks]
        interrupted = migrations.progress(to_shards("1/8"))
        assert interrupted is not None
        assert interrupted.read > 0
        migrations.apply(to_shards("1/8"), nothing)
        assert listed(dynamodb, "1") == tasks

    def test_it_fails_while_functions_keep_writing_leftovers(
        self, migrations: Runner, dynamodb: Any, tasks: list[Task], other: TaskStore
    ) -> None:
        moving = next(
            task for task in tasks if StatusShards(8, 8).partition_key(task.status, task.id) != task.status
        )
        shard_1 = to_shards("1/8")

        def write(_progress: Progress) -> None:
            other.update(moving.id, changing(status=next(statuses)))

        with pytest.raises(MigrationError, match="Is a deployment in progress"):
            migrations.apply(shard_1, write)
        interrupted = migrations.progress(shard_1)
        assert interrupted is not None
        assert interrupted.finished_at is None
        scans = calls_of(dynamodb, "Scan")
        migrations.apply(shard_1, nothing)
        assert len(scans) == 1
        assert [task.id for task in listed(dynamodb, "1")] == [task.id for task in tasks]

    def test_the_index_may_lag_behind(
        self, migrations: Runner, dynamodb: Any, tasks: list[Task], clock: Clock
    ) -> None:
        migrations.apply(to_shards("8"), nothing)
        shard_1 = to_shards("1/8")
        before = list(shard_1.leftovers(dynamodb, "TasksTable"))
        looks: list[float] = []

        def lagging(*arguments: Any) -> Iterator[Item]:
            looks.append(clock.now)
            return iter(before) if clock.now < looks[0] + 1.5 else shard_1.leftovers(*arguments)

        done = migrations.apply(replace(shard_1, leftovers=lagging), nothing)
        assert done.changed == len(before) > runner._PAGE_SIZE
        assert len(looks) == 3
        assert listed(dynamodb, "1") == tasks


@settings(max_examples=often(4, 100), suppress_health_check=list(HealthCheck))
@given(
    happenings=st.lists(st.tuples(st.sampled_from(["create", "move", "delete"]), st.integers(0, 99))),
    old=st.sampled_from(["1", "3", "8"]),
    new=st.sampled_from(["1", "2", "8"]),
)
def test_the_list_is_right_during_and_after_the_migration(
    empty_aws: Callable[[], None], happenings: list[tuple[str, int]], old: str, new: str
) -> None:
    empty_aws()
    client: Any = boto3.client("dynamodb")
    before = TaskStore(lambda: None, client=client, shards=StatusShards.parse(old))
    expected = {task.id: task for task in (create(before) for _ in range(20))}
    shards = f"{new}/{max(int(old), int(new))}"
    store = TaskStore(lambda: None, client=client, shards=StatusShards.parse(shards))
    ahead = iter(happenings)

    def serve(_progress: Progress) -> None:
        for what, number in itertools.islice(ahead, 2):
            if what == "create":
                task = create(store)
                expected[task.id] = task
            elif expected:
                task_id = sorted(expected)[number % len(expected)]
                if what == "delete":
                    store.delete(task_id)
                    del expected[task_id]
                else:
                    expected[task_id] = store.update(task_id, changing(status=next(statuses)))
        assert sorted(map(repr, listed(client, shards))) == sorted(map(repr, expected.values()))

    migrations = Runner(client, TABLES)
    migrations.apply(to_shards(shards), serve)
    assert {task.id: task for task in listed(client, new)} == expected
    assert migrations.apply(to_shards(shards), nothing, again=True).changed == 0


class TestTitles:
    """Titles from before requests were normalized to NFC."""

    MIGRATION = compose_titles({"StatusShards": "1"})
    COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"

    @pytest.fixture
    def store(self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> TaskStore:
        for name in ("TASKS_TABLE", "HISTORY_TABLE"):
            monkeypatch.delenv(name)  # functions have these variables, `make migrate` does not
        return TaskStore(lambda: None, client=dynamodb, table="TasksTable", history="HistoryTable")

    def test_a_title_is_normalized_and_held_only_in_that_form(self, store: TaskStore, dynamodb: Any) -> None:
        tasks = [store.create(new_task(title)).task for title in (self.DECOMPOSED, "Cafe")]
        assert Runner(dynamodb, TABLES).apply(self.MIGRATION, nothing).changed == 1
        changed = store.get(tasks[0].id)
        assert (changed.title, changed.version) == (self.COMPOSED, 2)
        assert store.get(tasks[1].id) == tasks[1]
        with pytest.raises(TitleTaken):
            store.create(new_task(self.COMPOSED))
        store.create(new_task(self.DECOMPOSED))
        assert Runner(dynamodb, TABLES).apply(self.MIGRATION, nothing, again=True).left == 1

    def test_colliding_titles_are_named_and_left(self, store: TaskStore, dynamodb: Any) -> None:
        old, new = (store.create(new_task(title)).task for title in (self.DECOMPOSED, self.COMPOSED))
        other = store.create(new_task("Cre\u0300me")).task
        said: list[str] = []
        done = Runner(dynamodb, TABLES).apply(self.MIGRATION, nothing, complain=said.append)
        assert (done.changed, done.left) == (1, 1)
        assert len(said) == 1
        assert f"TASK#{old.id} and TASK#{new.id} have the same title" in said[0]
        assert [store.get(task.id) for task in (old, new)] == [old, new]
        assert store.get(other.id).title == "Cr\u00e8me"
        store.delete(new.id)
        assert Runner(dynamodb, TABLES).apply(self.MIGRATION, nothing, again=True).changed == 1
        assert store.get(old.id).title == self.COMPOSED

    def test_a_task_deleted_meanwhile_stays_deleted(self, store: TaskStore, dynamodb: Any) -> None:
        task = store.create(new_task(self.DECOMPOSED)).task
        migration = interfering(self.MIGRATION, lambda _key: store.delete(task.id))
        Runner(dynamodb, TABLES).apply(migration, nothing)
        with pytest.raises(TaskNotFound):
            store.get(task.id)


class TestTheCommand:
    @pytest.fixture
    def stack(self, aws: None) -> TaskStore:
        """A stack with its own tables."""
        deploy("a-stack", "TasksTable", "HistoryTable", "UsersTable", StatusShards="4")
        cloudformation = boto3.client("cloudformation")
        detail = cloudformation.describe_stack_resource(StackName="a-stack", LogicalResourceId="TasksTable")
        return TaskStore(lambda: None, table=detail["StackResourceDetail"]["PhysicalResourceId"])

    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
        monkeypatch.setattr(command, "_LINE_INTERVAL", 3600)  # no progress lines, however slow the machine

        def run(*arguments: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["make migrate", *arguments])
            status = command.main()
            captured = capsys.readouterr()
            return status, captured.out, captured.err

        return run

    def test_migrates_a_stack_and_reports_it(self, stack: TaskStore, run: Any) -> None:
        for _ in range(10):
            create(stack)
        name = ("--stack-name", "a-stack")
        assert "not applied" in run(*name, "--status")[1]
        status, out, _ = run(*name)
        assert status == 0
        assert "0001 tasks to their 4 shard(s) of the status index: applied" in out
        assert re.search(r"\b2[01] items read", out)
        assert "applied" in run(*name, "--status")[1]
        assert run(*name) == (0, out, "")

    def test_reports_where_an_interrupted_run_resumes(
        self, stack: TaskStore, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(10):
            create(stack)
        whole = command.MIGRATIONS

        def interrupt(parameters: Any) -> Migration:
            return crashing(whole[0](parameters), at=15)

        monkeypatch.setattr(command, "MIGRATIONS", (interrupt,))
        monkeypatch.setattr("tests.component.test_migrations.Crash", KeyboardInterrupt)
        status, _, err = run("--stack-name", "a-stack")
        assert status == 130
        assert "run it again" in err
        monkeypatch.setattr(command, "MIGRATIONS", whole)
        assert "interrupted after 14 items" in run("--stack-name", "a-stack", "--status")[1]
        status, out, _ = run("--stack-name", "a-stack")
        assert status == 0
        assert "resuming after 14 items" in out

    def test_does_not_report_undone_migrations_as_applied(self, stack: TaskStore, run: Any) -> None:
        name = ("--stack-name", "a-stack")
        run(*name)
        assert ": applied" in run(*name, "--status")[1]
        other = TaskStore(lambda: None, table=stack._table, shards=StatusShards(16, 16))
        for _ in range(20):
            create(other)
        assert ": not applied" in run(*name, "--status")[1]
        assert ": applied" in run(*name)[1]
        assert ": applied" in run(*name, "--status")[1]

    def test_keeps_to_its_rate(self, stack: TaskStore, run: Any, clock: Clock) -> None:
        for _ in range(10):
            create(stack)
        began = clock.now
        _, out, _ = run("--stack-name", "a-stack", "--rate", "2")
        changed = [int(number) for number in re.findall(r"applied .* (\d+) changed", out)]
        assert clock.now - began == pytest.approx(sum(changed) / 2 + len(changed) * runner._LOOK_PAUSE)

    @pytest.mark.parametrize("rate", ["0", "-1", "1.5", "many"])
    def test_refuses_an_invalid_rate(self, run: Any, rate: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            run(f"--rate={rate}")
        assert f"'{rate}' is not a rate" in capsys.readouterr().err

    @pytest.mark.parametrize("stack_status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
    def test_waits_for_a_deployment(self, stack: TaskStore, run: Any, stack_status: str) -> None:
        a_stack = get_backend("cloudformation")[ACCOUNT][REGION].get_stack("a-stack")
        a_stack.status = stack_status
        for options in [], ["--status"]:
            status, out, err = run("--stack-name", "a-stack", *options)
            assert (status, out) == (1, "")
            assert err.startswith(f"error: The stack a-stack is in the state {stack_status}.")
        a_stack.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        assert run("--stack-name", "a-stack")[0] == 0

    def test_reports_an_unknown_stack(self, stack: TaskStore, run: Any) -> None:
        status, out, err = run("--stack-name", "another")
        assert (status, out) == (1, "")
        assert err.startswith("error: There is no stack another.")

    def test_reports_an_unknown_local_stack(self, aws: None, run: Any) -> None:
        status, out, err = run("--endpoint-url", "http://127.0.0.1:1")
        assert (status, out) == (1, "")
        assert err.startswith("error: There is no local stack at http://127.0.0.1:1.")
        assert err.count("\n") == 1

    def test_numbers_migrations_consecutively(self) -> None:
        parameters = {name: str(each["Default"]) for name, each in TEMPLATE["Parameters"].items()}
        made = [make(parameters).number for make in command.MIGRATIONS]
        assert made == list(range(1, len(made) + 1))
