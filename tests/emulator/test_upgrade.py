"""Each release over the one before, and back: over the same data, with what is on its way."""

from __future__ import annotations

import io
import itertools
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.emulator.deployment import STACK, Emulator, emulator
from tests.local_stack import ROOT, Client, Stack, await_condition, notified, sign_up
from tests.optional import RELEASES, needs_lambda_python, needs_redis
from tests.sam_cli import sam
from tools.local.sam_local import architecture

pytestmark = [needs_lambda_python, needs_redis]

PAST = 1_767_225_600


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The releases before this one, as they were."""
    folders = {version: tmp_path_factory.mktemp("released") for version in RELEASES}
    for version, folder in folders.items():
        command = ["git", "archive", RELEASES[version]]
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
    return folders


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


def test_no_release_changes_more_than_one_index_of_a_table(released: Mapping[str, Path]) -> None:
    """CloudFormation refuses that; the emulator does not. See
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html"""

    def indexes(folder: Path) -> dict[str, set[str]]:
        resources = yaml_parse((folder / "template.yaml").read_text("utf-8"))["Resources"]
        return {
            name: {str(index) for index in each["Properties"].get("GlobalSecondaryIndexes", [])}
            for name, each in resources.items()
            if each["Type"] == "AWS::DynamoDB::Table"
        }

    releases = [indexes(folder) for folder in (*released.values(), ROOT)]
    for before, after in itertools.pairwise(releases):
        for table in before.keys() & after.keys():
            assert len(before[table] ^ after[table]) <= 1, table


def test_everything_goes_on_over_upgrades_and_back(server: Emulator, released: Mapping[str, Path]) -> None:
    def deploy(version: str | None = None) -> None:
        """Deploy a release, or else this version, while a message waits that the one before has made."""
        deliver(server, is_on=False)
        waiting = user.create(f"On its way, the {len(created)}th")
        template = str(released[version] / ".aws-sam/build/template.yaml") if version else None
        server.deploy(template=template, Architecture=architecture())
        deliver(server, is_on=True)
        await_condition(lambda: is_notified(waiting))
        created.append(waiting)

    def is_notified(task: dict[str, Any]) -> bool:
        return any("notification sent" in line and task["id"] in line for line in server.logged())

    def create(title: str, **fields: Any) -> dict[str, Any]:
        created.append(user.create(title, **fields))
        await_condition(lambda: is_notified(created[-1]))
        return created[-1]

    def remind() -> None:
        scheduled = b'{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}'
        function = server.resource("RemindFunction")
        assert "FunctionError" not in server.client("lambda").invoke(FunctionName=function, Payload=scheduled)

    def listed(**parameters: Any) -> list[str]:
        return [task["title"] for task in user("GET", "/tasks", params=parameters).json()]

    def migrate() -> None:
        server.run("tools.migrations", "--stack-name", STACK)

    for folder in released.values():
        sam("build", folder=folder)
    created: list[dict[str, Any]] = []
    oldest = str(released["1.0.0"] / ".aws-sam/build/template.yaml")
    server.deploy(template=oldest, Architecture=architecture())
    user = sign_up(server.url)
    old, renamed, deleted = (create(f"Of 1.0, {name}") for name in ("old", "renamed", "deleted"))

    deploy("1.1.0")
    migrate()
    now = user("GET", f"/tasks/{old['id']}").json()
    assert {name: now[name] for name in old} == old
    assert listed() == [task["title"] for task in reversed(created)]
    assert listed(q="OF 1.0,") == ["Of 1.0, deleted", "Of 1.0, renamed", "Of 1.0, old"]
    assert user("PATCH", f"/tasks/{renamed['id']}", json={"title": "Of 1.0"}).status_code == 200
    assert user("DELETE", f"/tasks/{deleted['id']}").status_code == 204
    mine = create("Of 1.1, mine", assignee="me", due_at=PAST, labels=["planned"])
    done = create("Of 1.1, done", assignee="me", due_at=PAST + 1)
    remind()

    deploy()
    migrate()
    assert user("PATCH", f"/tasks/{done['id']}", json={"status": "COMPLETED"}).status_code == 200
    assert listed(assignee="me") == ["Of 1.1, done", "Of 1.1, mine"]
    assert listed(assignee="me", status="COMPLETED") == ["Of 1.1, done"]
    assert listed(sort="due_at") == ["Of 1.1, mine", "Of 1.1, done"]
    remind()  # also over what 1.1 has left
    soon = create("Due soon", due_at=int(time.time()) + 2)

    def is_reminded() -> bool:
        remind()
        return any('"due_at"' in line and soon["id"] in line for line in server.logged())

    await_condition(is_reminded)

    deploy("1.1.0")
    assert listed(assignee="me") == ["Of 1.1, done", "Of 1.1, mine"]
    assert listed(sort="due_at", status="PENDING") == ["Of 1.1, mine", "Due soon"]
    remind()
    assert user("PATCH", f"/tasks/{mine['id']}", json={"status": "COMPLETED"}).status_code == 200

    deploy("1.0.0")
    assert user("PATCH", f"/tasks/{done['id']}", json={"status": "PENDING"}).status_code == 200
    assert len(listed()) == len(created) - 1
    name = user("GET", "/auth/me").json()["username"]
    form = {"username": name, "password": "correct horse"}
    user = Client(server.url, Client(server.url)("POST", "/auth/login", data=form).json()["access_token"])
    create("Of 1.0 once more")
    sent = [line for line in server.logged() if "notification sent" in line]
    assert len(sent) == len(created) + 1
    assert not [line for line in server.logged() if '"level":"ERROR"' in line]

    server.deploy(
        template=str(released["1.1.0"] / ".aws-sam/build/template.yaml"), Architecture=architecture()
    )
    server.run("tools.migrations", "--stack-name", STACK, "--again")
    server.deploy(Architecture=architecture())
    assert listed(assignee="me", status="PENDING") == ["Of 1.1, done"]


def test_what_a_laptop_keeps_goes_on_over_an_upgrade_and_back(
    released: Mapping[str, Path], start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    titles: list[str] = []

    def go_on(root: Path, token: str | None = None) -> str | None:
        """Start a release's stack over the state, look, add a task, and stop; returns the user's token."""
        stack = start_stack("--state", str(tmp_path / "state.db"), root=root)
        user = Client(stack.url, token) if token else sign_up(stack.url)
        assert [task["title"] for task in user("GET", "/tasks?assignee=me").json()] == titles
        title = f"Of {root.name}, {len(titles)}"
        user.create(title, assignee="me", due_at=PAST)
        await_condition(lambda: notified(stack)[title] == 1)
        stack.stop()
        titles.insert(0, title)
        return user.token

    before = released["1.1.0"]
    token = go_on(before)
    for root in (ROOT, before, ROOT):
        go_on(root, token)
