"""Upgrades from earlier releases, and rollbacks, with the same data and with messages in flight."""

from __future__ import annotations

import io
import itertools
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.emulator.deployment import Emulator, emulator
from tests.local_stack import ROOT, Client, Stack, await_condition, notified, sign_up
from tests.optional import RELEASES, needs_lambda_python, needs_redis
from tests.sam_cli import sam
from tools.local.sam_local import architecture

pytestmark = [needs_lambda_python, needs_redis]

PAST = 1_767_225_600


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The folders of earlier releases, by version."""
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


def test_releases_change_at_most_one_index_per_table(released: Mapping[str, Path]) -> None:
    """An update can change one index per table, and an hour one TTL; others could not be rolled back. See
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html and
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html"""

    def tables(folder: Path) -> dict[str, Any]:
        resources = yaml_parse((folder / "template.yaml").read_text("utf-8"))["Resources"]
        return {
            name: each["Properties"]
            for name, each in resources.items()
            if each["Type"] == "AWS::DynamoDB::Table"
        }

    def indexes(table: Mapping[str, Any]) -> set[str]:
        return {str(index) for index in table.get("GlobalSecondaryIndexes", [])}

    for before, after in itertools.pairwise([tables(folder) for folder in (*released.values(), ROOT)]):
        for name in before.keys() & after.keys():
            assert len(indexes(before[name]) ^ indexes(after[name])) <= 1, name
            ttls = [version[name].get("TimeToLiveSpecification") for version in (before, after)]
            assert ttls[0] == ttls[1], name


def test_everything_works_across_an_upgrade_and_a_rollback(
    server: Emulator, released: Mapping[str, Path]
) -> None:
    created: list[dict[str, Any]] = []

    def template_of(version: str) -> str:
        return str(released[version] / ".aws-sam/build/template.yaml")

    def deploy(version: str | None = None) -> None:
        """Deploy a release, or this version, while a message of the previous version waits."""
        deliver(server, is_on=False)
        waiting = user.create(f"In flight, number {len(created)}")
        server.deploy(template=template_of(version) if version else None, Architecture=architecture())
        deliver(server, is_on=True)
        await_condition(lambda: is_notified(waiting))
        created.append(waiting)

    def is_notified(task: dict[str, Any]) -> bool:
        return any("notification sent" in line and task["id"] in line for line in server.logged())

    def create(title: str, **fields: Any) -> dict[str, Any]:
        created.append(user.create(title, **fields))
        await_condition(lambda: is_notified(created[-1]))
        return created[-1]

    def history(task: dict[str, Any]) -> list[tuple[int, str]]:
        changes = user("GET", f"/tasks/{task['id']}/history").json()
        return [(change["version"], change["type"]) for change in changes]

    def titles(path: str) -> list[str]:
        return sorted(task["title"] for task in user("GET", path).json())

    def expect(method: str, path: str, status: int, **options: Any) -> None:
        assert user(method, path, **options).status_code == status

    def use(version: str) -> None:
        """Change, delete and restore tasks, and check all lists."""
        changed, deleted, due = created[0], create(f"Deleted by {version}"), created[1]
        before = history(changed)
        expect("PATCH", f"/tasks/{changed['id']}", 200, json={"description": f"Of {version}"})
        assert history(changed)[1:] == before
        expect("DELETE", f"/tasks/{due['id']}", 204)
        assert titles("/trash") == sorted([*trash, due["title"]])
        expect("POST", f"/trash/{due['id']}/restore", 200)
        expect("DELETE", f"/tasks/{deleted['id']}", 204)
        trash.append(deleted["title"])
        assert titles("/trash") == sorted(trash)
        assert titles("/tasks?assignee=me") == titles("/tasks?sort=due_at") == [due["title"]]
        assert titles("/tasks") == sorted(task["title"] for task in created if task["title"] not in trash)

    trash: list[str] = []
    for folder in released.values():
        sam("build", folder=folder)
    first = next(iter(RELEASES))
    server.deploy(template=template_of(first), Architecture=architecture())
    user = sign_up(server.url)
    create("Changed by each")
    create("Due", assignee="me", due_at=PAST, labels=["planned"])
    use(first)
    for version in (None, first, None):
        deploy(version)
        use(version or "this")
    sent = [line for line in server.logged() if "notification sent" in line]
    assert len(sent) == len(created)
    assert not [line for line in server.logged() if '"level":"ERROR"' in line]


def test_a_laptops_state_survives_an_upgrade_and_a_rollback(
    released: Mapping[str, Path], start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    titles: list[str] = []

    def use(root: Path, token: str | None = None) -> str | None:
        """Start a release's stack with the state, check it, add a task and stop; returns the token."""
        stack = start_stack("--state", str(tmp_path / "state.db"), root=root)
        user = Client(stack.url, token) if token else sign_up(stack.url)
        assert [task["title"] for task in user("GET", "/tasks?assignee=me").json()] == titles
        title = f"Of {root.name}, {len(titles)}"
        user.create(title, assignee="me", due_at=PAST)
        await_condition(lambda: notified(stack)[title] == 1)
        stack.stop()
        titles.insert(0, title)
        return user.token

    before = released[next(iter(RELEASES))]
    token = use(before)
    for root in (ROOT, before, ROOT):
        use(root, token)
