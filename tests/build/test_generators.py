"""Generators make clients from the OpenAPI document: a Python client, which is used, and TypeScript types."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.local_stack import ROOT, Stack, unique
from tests.optional import NPX, needs_npx

DOCUMENT = str(ROOT / "functions/api_docs/openapi.json")
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a package that openapi-python-client has generated."""
    folder = tmp_path_factory.mktemp("generated")
    arguments = ["generate", "--path", DOCUMENT, "--meta", "none", "--output-path", "task_api_client"]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unsupported" not in (done.stdout + done.stderr).lower()
    sys.path.insert(0, str(folder))
    yield "task_api_client"
    sys.path.remove(str(folder))


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as clients:
        yield clients


def test_a_generated_client_can_call_everything(package: str, stack: Stack, closing: ExitStack) -> None:
    def api(name: str) -> Any:
        return importlib.import_module(f"{package}.api.{name}").sync_detailed

    models = importlib.import_module(f"{package}.models")
    client = importlib.import_module(f"{package}.client")
    name, title = unique("generated").replace(" ", "-"), unique("Generated")

    with client.Client(base_url=stack.url) as anyone:
        user = api("users.create_user")(client=anyone, body=models.NewUser(name, PASSWORD))
        assert user.parsed.username == name
        form = models.LoginForm(username=name, password=PASSWORD)
        token = api("users.login")(client=anyone, body=form).parsed.access_token
    me = closing.enter_context(client.AuthenticatedClient(base_url=stack.url, token=token))
    assert api("users.get_me")(client=me).parsed.id == user.parsed.id

    created = api("tasks.create_task")(client=me, body=models.NewTask(title))
    assert (created.status_code, created.parsed.title) == (201, title)
    taken = api("tasks.create_task")(client=me, body=models.NewTask(title))
    assert (taken.status_code, taken.parsed.task_id) == (409, created.parsed.id)

    api("tasks.create_task")(client=me, body=models.NewTask(f"{title}, too"))
    page = api("tasks.list_tasks")(client=me, limit=1, status=[models.TaskStatus.PENDING])
    assert [task.title for task in page.parsed] == [f"{title}, too"]
    cursor = page.headers["Link"].partition("cursor=")[2].partition(">")[0]
    page = api("tasks.list_tasks")(client=me, limit=1, cursor=cursor)
    assert [task.id for task in page.parsed] == [created.parsed.id]

    planned = models.NewTask(f"{title}, planned", assignee="me", due_at=1_767_225_600, labels=["generated"])
    due = api("tasks.create_task")(client=me, body=planned).parsed
    assert (due.assignee, due.due_at, due.labels) == (name, 1_767_225_600, ["generated"])
    filters = {
        "assignee": "me",
        "label": "GENERATED",
        "q": "planned",
        "due_after": 0,
        "due_before": 1_767_225_601,
    }
    page = api("tasks.list_tasks")(client=me, sort=models.Sort.DUE_AT, **filters)
    assert page.parsed == [due]
    cleared = models.TaskChanges(assignee=None, due_at=None, labels=[])
    assert api("tasks.update_task")(due.id, client=me, body=cleared).parsed.due_at is None

    seen = created.headers["ETag"]
    done = models.TaskChanges(status=models.TaskStatus.COMPLETED)
    changed = api("tasks.update_task")(created.parsed.id, client=me, body=done, if_match=seen)
    assert changed.parsed.status == "COMPLETED"
    stale = api("tasks.delete_task")(created.parsed.id, client=me, if_match=seen)
    assert (stale.status_code, stale.parsed.status) == (412, 412)
    deleted = api("tasks.delete_task")(created.parsed.id, client=me, if_match=changed.headers["ETag"])
    assert deleted.status_code == 204

    trash = api("trash.list_trash")(client=me, limit=100).parsed
    assert created.parsed.id in {task.id for task in trash}
    again = models.Restoration(title=f"{title}, again")
    restored = api("trash.restore_task")(created.parsed.id, client=me, body=again).parsed
    assert (restored.title, restored.status) == (f"{title}, again", "COMPLETED")
    history = api("tasks.get_task_history")(created.parsed.id, client=me, limit=2).parsed
    assert [change.type_ for change in history] == ["task.restored", "task.deleted"]
    assert history[0].changes.to_dict() == {"title": [title, f"{title}, again"]}
    api("tasks.delete_task")(created.parsed.id, client=me)
    assert api("trash.purge_task")(created.parsed.id, client=me).status_code == 204


@needs_npx
def test_openapi_typescript_generates_types(tmp_path: Path) -> None:
    done = subprocess.run(
        [NPX.path, "--yes", "openapi-typescript@7.13.0", DOCUMENT, "--output", "api.d.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    types = (tmp_path / "api.d.ts").read_text()
    for name in ("NewTask", "TaskChanges", "Task", "TaskStatus", "Problem"):
        assert f"        {name}: " in types
