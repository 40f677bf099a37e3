"""The release before, this version over it, and back: over the same data, with what is on its way."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.deployment import STACK, Emulator, emulator
from tests.local_stack import ROOT, Client, await_condition, sign_up
from tests.optional import RELEASE, needs_lambda_python, needs_redis
from tests.sam_cli import sam
from tools.local.sam_local import architecture

pytestmark = [needs_lambda_python, needs_redis]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The built template of the release before."""
    folder = tmp_path_factory.mktemp("released")
    archive = subprocess.run(["git", "archive", RELEASE.path], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    sam("build", folder=folder)
    return str(folder / ".aws-sam/build/template.yaml")


@pytest.fixture
def server(built: Path, tmp_path: Path) -> Iterator[Emulator]:
    with emulator(tmp_path) as server:
        yield server


def deliver(server: Emulator, *, is_on: bool) -> None:
    """Let notifications be sent, or keep their messages in the queue."""
    client = server.client("lambda")
    function = server.resource("SendNotificationFunction")
    found = client.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = (each for each in found if f":function:{function}" in each["FunctionArn"])
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=is_on)


def test_everything_goes_on_over_an_upgrade_and_back(server: Emulator, released: str) -> None:
    def notified(task: dict[str, Any]) -> Callable[[], bool]:
        return lambda: any("notification sent" in line and task["id"] in line for line in server.logged())

    server.deploy(template=released, Architecture=architecture())
    user = sign_up(server.url)
    old, renamed, deleted = (user.create(f"Of 1.0, {name}") for name in ("old", "renamed", "deleted"))
    deliver(server, is_on=False)
    waiting = user.create("On its way to this version")

    server.deploy(Architecture=architecture())
    server.run("tools.migrations", "--stack-name", STACK)
    deliver(server, is_on=True)
    await_condition(notified(waiting))
    listed = user("GET", "/tasks").json()
    assert [task["id"] for task in listed] == [task["id"] for task in (waiting, deleted, renamed, old)]
    now = user("GET", f"/tasks/{old['id']}").json()
    assert {name: now[name] for name in old} == old
    assert user("GET", "/tasks?q=OF+1.0").json() == listed[1:]
    assert user("PATCH", f"/tasks/{renamed['id']}", json={"title": "Of 1.0"}).status_code == 200
    assert user("DELETE", f"/tasks/{deleted['id']}").status_code == 204
    new = user.create(deleted["title"], assignee="me", labels=["planned"], due_at=1_767_225_600)
    await_condition(notified(new))
    name = user("GET", "/auth/me").json()["username"]
    assert user("GET", "/users").json() == [{"username": name}]
    deliver(server, is_on=False)
    waiting = user.create("On its way back")

    server.deploy(template=released, Architecture=architecture())
    deliver(server, is_on=True)
    await_condition(notified(waiting))
    titles = ["On its way back", "Of 1.0, deleted", "On its way to this version", "Of 1.0", "Of 1.0, old"]
    assert [task["title"] for task in user("GET", "/tasks").json()] == titles
    assert user("PATCH", f"/tasks/{new['id']}", json={"title": "Of both"}).status_code == 200
    form = {"username": name, "password": "correct horse"}
    again = Client(server.url, Client(server.url)("POST", "/auth/login", data=form).json()["access_token"])
    await_condition(notified(again.create("Of 1.0 once more")))
    sent = [line for line in server.logged() if "notification sent" in line]
    assert len(sent) == 7
    assert not [line for line in server.logged() if '"level":"ERROR"' in line]
