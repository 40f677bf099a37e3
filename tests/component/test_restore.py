"""`make restore` restores tables of a running stack, and publishes no events for restored items.

moto ignores the time to restore to, and copies the table as it is now. So a test first makes the copy, under
the name that the command uses, and then changes the table. The command finds the copy, and resumes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.aws import Item
from shared.tasks.events import RESTORED_AT
from shared.tasks.history import TaskHistory
from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from shared.tasks.task import NOBODY, Task
from shared.tasks.trash import Trash
from shared.tasks.trash_items import trash_key
from tests.tasks import changing, new_task
from tests.template import TEMPLATE
from tools.events import command as progress
from tools.migrations import check
from tools.restore import __main__ as command
from tools.restore import copies, differences, marks, writers
from tools.restore.copies import Copy
from tools.restore.writers import functions_that_write
from tools.stacks import Stack, deployed_stack

NAME = "task-api"
TO = "2026-01-02T03:04:05Z"
FUNCTIONS = [
    "CreateTaskFunction",
    "UpdateTaskFunction",
    "DeleteTaskFunction",
    "RestoreTaskFunction",
    "PurgeTaskFunction",
    "PurgeHistoryFunction",
]
TABLES = ("TasksTable", "HistoryTable", "WebhooksTable", "UsersTable")

FUNCTION = "AWS::Lambda::Function"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stack(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = {"Handler": "app.handler", "Runtime": "python3.13", "Code": {"ZipFile": "handler = None"}}
        tables = {each: {**TEMPLATE["Resources"][each]} for each in TABLES}
        for table in tables.values():
            del table["Metadata"], table["DeletionPolicy"]
            properties = {**table["Properties"], "DeletionProtectionEnabled": False}
            table["Properties"] = properties
            properties.pop("StreamSpecification", None)  # moto copies all records of a stream at every write
        functions = {
            each: {"Type": "AWS::Lambda::Function", "Properties": {**code, "Role": role, "Timeout": 30}}
            for each in functions_that_write(TABLES)
        }
        parameters = {each: TEMPLATE["Parameters"][each] for each in ("StatusShards", "Objectives")}
        body = {"Parameters": parameters, "Resources": {**tables, **functions}}
        boto3.client("cloudformation").create_stack(StackName=NAME, TemplateBody=json.dumps(body))
        stack = deployed_stack(NAME)
        monkeypatch.setenv("TASKS_TABLE", stack.tables["TasksTable"])
        monkeypatch.setenv("HISTORY_TABLE", stack.tables["HistoryTable"])
        yield stack


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; time passes only while the command sleeps."""
    now = [0.0]
    clock = SimpleNamespace(
        monotonic=lambda: now[0],
        sleep=lambda seconds: now.append(now.pop() + seconds),
        gmtime=time.gmtime,
        strftime=time.strftime,
    )
    for module in (progress, copies, marks, writers):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(progress, "chosen_stack", lambda chosen: stack)

    def run(*arguments: str, to: str = TO, yes: bool = True) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["restore", "--to", to, *arguments, *(["--yes"] if yes else [])])
        try:
            status = command.main()
        except SystemExit as end:  # raised by argparse
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run


def copy(stack: Stack, *tables: str, to: str = TO) -> None:
    """Copy tables as they are now, as the command's first step does."""
    for each in tables or ("TasksTable", "HistoryTable"):
        pair = Copy.of(stack, each, datetime.fromisoformat(to))
        stack.dynamodb.restore_table_to_point_in_time(
            SourceTableName=pair.table, TargetTableName=pair.name, UseLatestRestorableTime=True
        )


@pytest.fixture
def store(stack: Stack) -> TaskStore:
    return TaskStore(lambda: None, client=stack.dynamodb)


@pytest.fixture
def trash(stack: Stack) -> Trash:
    return Trash(lambda: None, client=stack.dynamodb)


def items(stack: Stack, table: str) -> dict[str, Item]:
    """The items of a table by key."""
    found = stack.dynamodb.scan(TableName=stack.physical_name(table), ConsistentRead=True)["Items"]
    keys = {"TasksTable": ["pk"], "HistoryTable": ["task_id", "version"], "UsersTable": ["username"]}
    return {"#".join(str(*item[key].values()) for key in keys.get(table, ["id"])): item for item in found}


def problems(stack: Stack) -> list[str]:
    tasks, history = stack.physical_name("TasksTable"), stack.physical_name("HistoryTable")
    found = [
        *check.problems(stack.dynamodb, tasks, StatusShards(), rate=10**6),
        *check.orphans(stack.dynamodb, history, tasks, rate=10**6),
    ]
    return [each for each in found if each]


def without_version(task: Task) -> Task:
    return replace(task, version=0)


def reserved(stack: Stack) -> set[int | None]:
    client = stack.client("lambda")
    return {
        client.get_function_concurrency(FunctionName=stack.physical_name(each)).get(
            "ReservedConcurrentExecutions"
        )
        for each in FUNCTIONS
    }


def test_all_later_changes_are_undone(run: Run, stack: Stack, store: TaskStore, trash: Trash) -> None:
    same, changed, deleted, gone, undeleted = (
        store.create(new_task(title), key=title).task
        for title in ("same", "changed", "deleted", "gone", "back")
    )
    store.delete(undeleted.id)
    then = {table: items(stack, table) for table in ("TasksTable", "HistoryTable")}
    copy(stack)
    store.update(changed.id, changing(title="another title"))
    store.update(changed.id, changing(description="lost"))
    for task in (deleted, gone):
        store.delete(task.id)
    trash.purge(gone.id, author=NOBODY)
    stack.dynamodb.delete_item(TableName=stack.tables["TasksTable"], Key=trash_key(gone.id))
    TaskHistory(stack.dynamodb).purge(gone.id)
    trash.restore(undeleted.id, author=NOBODY)
    new = store.create(new_task("deleted"), key="new").task
    before = int(time.time())

    status, out, err = run("--rate", "1000")

    assert (status, err) == (0, "")
    assert out.endswith("writes are on again\n")
    assert store.get(same.id) == same
    for task in (changed, deleted, gone):
        now = store.get(task.id)
        assert without_version(now) == without_version(task)
        assert now.version >= before - 60  # above every version it had
        assert RESTORED_AT in items(stack, "TasksTable")[f"TASK#{task.id}"]  # prevents its event
    assert items(stack, "HistoryTable") == then["HistoryTable"]
    assert items(stack, "TasksTable").keys() == then["TasksTable"].keys()
    assert f"TASK#{new.id}" not in items(stack, "TasksTable")
    assert [each.task.title for each in trash.page(10).tasks] == ["back"]
    assert problems(stack) == []
    assert {*stack.dynamodb.list_tables()["TableNames"]} == {*map(stack.physical_name, TABLES)}
    assert reserved(stack) == {None}


def test_all_functions_that_write_tasks_are_switched_off(run: Run, stack: Stack, store: TaskStore) -> None:
    task = store.create(new_task()).task
    copy(stack)
    store.update(task.id, changing(title="lost"))
    off: list[set[int | None]] = []
    stack.dynamodb.meta.events.register(
        "before-call.dynamodb.PutItem", lambda **_: off.append(reserved(stack))
    )
    assert run()[0] == 0
    assert off == [{0}] * 2  # the task and its title
    assert functions_that_write(("TasksTable", "HistoryTable")) == FUNCTIONS


def test_equal_items_are_not_written(run: Run, stack: Stack, store: TaskStore) -> None:
    store.create(new_task())
    copy(stack)
    before = items(stack, "TasksTable")
    assert "0 written, 0 deleted" in run()[1]
    assert items(stack, "TasksTable") == before


def test_a_second_restore_raises_versions_again(run: Run, stack: Stack, store: TaskStore) -> None:
    """A version identifies one state of a task, also across restores."""
    task = store.create(new_task()).task
    versions = []
    for moment in (TO, "2026-01-02T03:04:06Z"):
        copy(stack, to=moment)
        store.update(task.id, changing(title=moment))
        run(to=moment)
        versions.append(store.get(task.id).version)
    assert versions[0] < versions[1]


def test_expired_items_are_not_restored(run: Run, stack: Stack, store: TaskStore, trash: Trash) -> None:
    """Their end was published. Items that expire now are left to DynamoDB, so that their end is, too."""
    task, ending = store.create(new_task("over")).task, store.create(new_task("ending")).task
    store.delete(task.id)
    expire(stack, task)
    copy(stack)
    stack.dynamodb.delete_item(TableName=stack.tables["TasksTable"], Key=trash_key(task.id))
    TaskHistory(stack.dynamodb).purge(task.id)
    store.delete(ending.id)
    expire(stack, ending)
    assert run()[0] == 0
    assert f"TRASH#{task.id}" not in items(stack, "TasksTable")
    assert f"TRASH#{ending.id}" in items(stack, "TasksTable")
    assert task.id not in str(items(stack, "HistoryTable"))


def expire(stack: Stack, task: Task) -> None:
    stack.dynamodb.update_item(
        TableName=stack.tables["TasksTable"],
        Key=trash_key(task.id),
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )


def test_an_interrupted_restore_leaves_writes_off_and_is_finished_by_the_next(
    run: Run, stack: Stack, store: TaskStore
) -> None:
    tasks = [store.create(new_task(f"Task {number}")).task for number in range(5)]
    copy(stack)
    for task in tasks:
        store.update(task.id, changing(description="lost"))
    events, calls = stack.dynamodb.meta.events, iter(range(100))

    def interrupt(**_: Any) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    events.register("after-call.dynamodb.PutItem", interrupt)
    status, _, err = run()
    assert (status, reserved(stack)) == (130, {0})
    assert "writes may be off" in err
    events.unregister("after-call.dynamodb.PutItem", interrupt)
    status, out, _ = run()
    assert (status, reserved(stack)) == (0, {None})
    assert "They are already copied." in out
    assert [store.get(task.id).description for task in tasks] == [task.description for task in tasks]
    assert problems(stack) == []


def test_later_writes_survive_a_resumed_restore(run: Run, stack: Stack, store: TaskStore) -> None:
    task = store.create(new_task()).task
    copy(stack)
    store.update(task.id, changing(title="lost"))
    functions, client, calls = stack.client("lambda"), Stack.client, iter(range(100))

    def interrupt(model: Any, **_: Any) -> None:
        if model.name == "DeleteFunctionConcurrency" and next(calls) == 1:
            raise KeyboardInterrupt

    functions.meta.events.register("before-call.lambda", interrupt)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Stack, "client", lambda self, name: functions if name == "lambda" else client(self, name)
        )
        status, _, err = run()
    assert (status, reserved(stack)) == (130, {None, 0})
    assert "the tables are restored, but writes may be off" in err
    new = store.create(new_task("new")).task
    status, out, _ = run()
    assert (status, reserved(stack)) == (0, {None})
    assert "are already restored" in out
    assert store.get(new.id) == new
    assert {*stack.dynamodb.list_tables()["TableNames"]} == {*map(stack.physical_name, TABLES)}


def test_the_later_of_two_restores_takes_over(run: Run, stack: Stack, store: TaskStore) -> None:
    tasks = [store.create(new_task(f"Task {number}")).task for number in range(3)]
    copy(stack)
    for task in tasks:
        store.update(task.id, changing(title=f"lost {task.id}"))
    later = marks.Marks(stack.dynamodb, Copy.of(stack, "TasksTable", datetime.fromisoformat(TO)).name)
    events = stack.dynamodb.meta.events
    begin = lambda **_: later.claim()  # noqa: E731
    events.register("after-call.dynamodb.BatchGetItem", begin)
    status, _, err = run("--rate", "1")  # so that time passes
    assert (status, reserved(stack)) == (2, {0})
    assert err == "error: Another run of this command has taken over; this one has ended.\n"
    events.unregister("after-call.dynamodb.BatchGetItem", begin)
    assert run()[0] == 0
    assert problems(stack) == []


def test_a_stack_with_unknown_functions_is_refused(run: Run, stack: Stack) -> None:
    found = {**stack.resources(FUNCTION), "ImportTasksFunction": "task-api-ImportTasks"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stack, "resources", lambda _self, _kind: found)
        status, _, err = run()
    assert (status, reserved(stack)) == (2, {None})
    assert "has ImportTasksFunction, which template.yaml does not have" in err


def test_writes_of_late_calls_are_undone_too(
    run: Run, stack: Stack, store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy(stack)
    task = store.create(new_task()).task
    monkeypatch.setattr(differences, "MAX_CALLS", 1)
    late = iter(["late"])

    def write(**_: Any) -> None:
        for title in late:
            store.update(task.id, changing(title=title))

    stack.dynamodb.meta.events.register("before-call.dynamodb.DeleteItem", write)
    assert run()[0] == 0
    assert items(stack, "TasksTable") == {}


def test_tables_are_copied_as_of_the_given_time(run: Run, stack: Stack, store: TaskStore) -> None:
    store.create(new_task())
    asked: list[Any] = []
    stack.dynamodb.meta.events.register(
        "before-parameter-build.dynamodb.RestoreTableToPointInTime", lambda params, **_: asked.append(params)
    )
    for table in ("TasksTable", "HistoryTable"):
        switch_on_recovery(stack, table)
    to = datetime.fromisoformat(latest(stack, "HistoryTable"))
    assert run(to=to.isoformat())[0] == 0
    assert [each["SourceTableName"] for each in asked] == [
        stack.tables[each] for each in ("TasksTable", "HistoryTable")
    ]
    assert {each["RestoreDateTime"] for each in asked} == {to}


def switch_on_recovery(stack: Stack, table: str) -> None:
    stack.dynamodb.update_continuous_backups(
        TableName=stack.physical_name(table),
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def latest(stack: Stack, table: str) -> str:
    """The latest time that a table can be restored to."""
    found = stack.dynamodb.describe_continuous_backups(TableName=stack.physical_name(table))
    moment = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
        "LatestRestorableDateTime"
    ]
    return moment.replace(microsecond=0).isoformat()


def test_a_time_outside_of_the_recovery_window_is_refused(run: Run, stack: Stack) -> None:
    assert "has no point-in-time recovery" in run()[2]
    switch_on_recovery(stack, "TasksTable")
    later = datetime.fromisoformat(latest(stack, "TasksTable")) + timedelta(days=1)
    status, _, err = run(to=later.isoformat())
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("error: TasksTable can only be restored to a time from ")
    assert run(to="2026-01-02T03:04:05")[0] == 2  # without a time zone
    assert reserved(stack) == {None}


def test_a_restore_is_refused_while_another_is_unfinished(run: Run, stack: Stack) -> None:
    copy(stack, to="2026-01-01T00:00:00Z")
    status, _, err = run()
    assert (status, reserved(stack)) == (2, {None})
    assert "-restored-20260101T000000Z" in err


def test_a_dry_run_or_a_wrong_confirmation_changes_nothing(
    run: Run, stack: Stack, store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = store.create(new_task()).task
    copy(stack)
    kept = store.update(task.id, changing(title="kept"))
    status, out, _ = run("--dry-run", yes=False)
    assert status == 0
    assert "Later writes to them are lost." in out
    assert "CreateTaskFunction" in out
    monkeypatch.setattr("builtins.input", lambda _prompt: "task-api-prod")
    assert run(yes=False)[0] == 1
    assert store.get(task.id) == kept
    assert reserved(stack) == {None}


@pytest.mark.parametrize("number", [0, 5])
def test_an_existing_reserved_concurrency_is_refused(run: Run, stack: Stack, number: int) -> None:
    name = stack.physical_name("CreateTaskFunction")
    stack.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=number)
    status, _, err = run()
    assert (status, reserved(stack)) == (2, {None, number})
    assert f"{name} has a reserved concurrency of {number}" in err


@pytest.mark.parametrize("table", ["WebhooksTable", "UsersTable"])
def test_other_tables_are_restored_on_request(run: Run, stack: Stack, table: str) -> None:
    key = {"WebhooksTable": "id", "UsersTable": "username"}[table]
    name = stack.physical_name(table)

    def put(id_: str, secret: str) -> None:
        stack.dynamodb.put_item(TableName=name, Item={key: {"S": id_}, "secret": {"S": secret}})

    for id_ in ("ada", "session#ended", "session#kept"):
        put(id_, "old")
    before = items(stack, table)
    copy(stack, table)
    put("ada", "new")
    put("session#new", "new")
    stack.dynamodb.delete_item(TableName=name, Key={key: {"S": "session#ended"}})
    status, out, _ = run("--table", table)
    assert status == 0
    assert "come back" in out
    assert items(stack, table) == (before if table == "WebhooksTable" else {"ada": before["ada"]})
