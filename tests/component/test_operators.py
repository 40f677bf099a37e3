"""`make users`, and the migration that adds users of version 1.0 to the directory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import BadCredentials, UsernameTaken
from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from shared.tasks.task import Author
from shared.users.api_keys import ApiKeys
from shared.users.directory import Directory
from shared.users.sessions import Sessions
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Identity
from tests.tasks import new_task
from tests.users import PASSWORD, signed_in
from tools.migrations.m0003_listed_users import list_users
from tools.migrations.runner import Runner
from tools.stacks import Stack
from tools.users import __main__ as command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(dynamodb: Any) -> UsersTable:
    return UsersTable(dynamodb)


@pytest.fixture
def run(dynamodb: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    stack = Stack(dynamodb, {name: name for name in ("TasksTable", "HistoryTable", "UsersTable")}, {})
    monkeypatch.setattr(command, "chosen_stack", lambda _chosen: stack)

    def run(*arguments: str, answer: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["users", *arguments])
        monkeypatch.setattr("builtins.input", lambda _prompt: answer)
        status = command.main()
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def ada(table: UsersTable) -> Identity:
    return signed_in(table, "Ada")


def test_a_new_password_is_printed_and_ends_sessions_and_keys(
    run: Run, ada: Identity, table: UsersTable
) -> None:
    ApiKeys(table).create(ada, "report", "read", None)
    status, out, _ = run("set-password", "ada")
    password = out.strip().rpartition(" ")[2]
    assert status == 0
    with pytest.raises(BadCredentials):
        UserStore(table).sign_in("ada", PASSWORD)
    user, *_ = UserStore(table).sign_in("ada", password)
    assert ApiKeys(table).all_of(Identity("ada", user.generation, None)) == []


@pytest.mark.parametrize(("arguments", "answer"), [(["--yes"], ""), ([], "ADA")])
def test_a_user_is_deleted_after_a_confirmation(
    run: Run, ada: Identity, table: UsersTable, arguments: list[str], answer: str
) -> None:
    assert run("delete", "ADA", answer="no")[0] == 1
    UserStore(table).sign_in("ada", PASSWORD)
    assert run("delete", "ADA", *arguments, answer=answer)[0] == 0
    with pytest.raises(UsernameTaken):
        UserStore(table).create("ada", PASSWORD)


def test_a_users_data_is_exported_without_secrets(run: Run, ada: Identity, table: UsersTable) -> None:
    user = Sessions(table).check(ada)
    ApiKeys(table).create(ada, "report", "read", None)
    UserStore(table).create("bob", PASSWORD)
    tasks = TaskStore(lambda: None, client=table.client, table="TasksTable", shards=StatusShards())
    task, deleted = (
        tasks.create(new_task(title, created_by=user["id"]["S"], author=Author("Ada", None))).task
        for title in ("Mine", "Mine, too")
    )
    other = tasks.create(new_task("Not mine")).task
    for each in (deleted, other):
        tasks.delete(each.id)
    status, out, _ = run("export", "ada")
    exported = json.loads(out)
    assert status == 0
    assert exported["user"]["username"] == "Ada"
    assert len(exported["sessions"]) == 1
    assert [key["name"] for key in exported["api_keys"]] == ["report"]
    assert [each["id"] for each in exported["tasks"]] == [task.id]
    assert [each["id"] for each in exported["trash"]] == [deleted.id]
    assert {each["task_id"] for each in exported["changes"]} == {task.id, deleted.id}
    assert "argon2" not in out
    assert "digest" not in out


def test_an_unknown_user_is_an_error(run: Run, ada: Identity) -> None:
    for name in ("bob", "keys#ada"):
        assert run("export", name)[0] == 1
    run("delete", "ada", "--yes")
    status, _, error = run("set-password", "ada")
    assert (status, error) == (1, "error: there is no user ada\n")


def test_users_of_version_1_0_are_listed(dynamodb: Any, ada: Identity, table: UsersTable) -> None:
    store = UserStore(table)
    for name in ("bob", "carl"):
        store.create(name, PASSWORD)
    store.delete(Identity("carl", store.sign_in("carl", PASSWORD)[0].generation, None), PASSWORD)
    for name in ("ada", "bob"):
        table.client.update_item(
            TableName="UsersTable", Key={"username": {"S": name}}, UpdateExpression="REMOVE listed"
        )
    directory = Directory(table)
    assert directory.page(None, 20, None) == ([], None)
    runner = Runner(dynamodb, {name: name for name in ("TasksTable", "UsersTable")})
    done = runner.apply(list_users({}), lambda _: None)
    assert directory.page(None, 20, None) == (["Ada", "bob"], None)
    assert (done.changed, done.left) == (2, 0)
