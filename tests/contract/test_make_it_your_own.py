"""Following docs/make-it-your-own.md makes a service whose tests pass."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.contract.test_scaffold import follow, run
from tests.local_stack import ROOT, Client, Stack, unique
from tests.nightly import AT_NIGHT
from tests.optional import needs_clone

GUIDE = (ROOT / "docs/make-it-your-own.md").read_text("utf-8")
TESTS = (
    ["tests/unit", "tests/component"]
    if AT_NIGHT
    else ["tests/unit/test_fields.py", "tests/unit/test_documents.py"]
)


def arguments(command: str, given: dict[str, str]) -> list[list[str]]:
    """The values that the guide gives to each call of a command of `make`."""
    calls = re.findall(rf"^make {command} (.*)$", GUIDE, re.MULTILINE)
    return [
        [given.get(word.partition("=")[0], word.partition("=")[2]) for word in shlex.split(call)]
        for call in calls
    ]


def commit(project: Path) -> None:
    author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message=A step"]):
        subprocess.run(["git", *command], cwd=project, check=True)


@needs_clone
def test_the_guide_makes_a_working_service(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    ((name, into),) = arguments("new", {"INTO": str(orders)})
    assert run(ROOT, "tools.scaffold.new", name, into).returncode == 0
    for old, new in arguments("rename", {}):
        commit(orders)
        done = run(orders, "tools.scaffold.rename", old, new)
        assert done.returncode == 0, done.stderr
    follow("docs/adding-a-field.md", orders)
    assert run(orders, "tools.openapi").returncode == 0
    for command in (["mypy", "--cache-dir", "/dev/null"], ["pytest", "-p", "no:cacheprovider", *TESTS]):
        if command[0] == "pytest" or AT_NIGHT:
            done = run(orders, *command)
            assert done.returncode == 0, done.stdout

    stack = start_stack("--no-state", root=orders)
    credentials = {"username": "ada", "password": "correct horse"}
    anyone = Client(stack.url)
    assert anyone("POST", "/auth/create", json=credentials).status_code == 201
    user = Client(stack.url, anyone("POST", "/auth/login", data=credentials).json()["access_token"])
    title = unique("Ten loaves")
    created = user("POST", "/orders", json={"title": title, "status": "PACKED", "estimate": 5})
    assert created.status_code == 201, created.text
    assert created.headers["Location"] == f"{stack.url}/orders/{created.json()['id']}"
    assert user("GET", "/orders?status=PACKED&under=6").json() == [created.json()]
    stack.wait_for(f"notification sent .*{title}")
    assert anyone("GET", "/openapi.json").json()["info"]["title"] == name
    names = [
        path.relative_to(orders).as_posix() for path in orders.rglob("*task*") if ".git" not in path.parts
    ]
    assert not names
