"""Following docs/adding-a-field.md adds the field to requests, responses, filters and documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.contract.test_scaffold import JUST_WRITTEN, follow, project, run
from tests.local_stack import Stack, sign_up
from tests.nightly import AT_NIGHT

__all__ = ["project"]

GUIDE = "docs/adding-a-field.md"
UNIT_TESTS = ("tests/unit/test_fields.py", "tests/unit/test_paging.py", "tests/unit/test_openapi.py")


def test_the_worked_example_works(project: Path, start_stack: Callable[..., Stack]) -> None:
    follow(GUIDE, project)
    assert run(project, "tools.openapi").returncode == 0
    for command in (
        ["ruff", "check", "--no-cache", "shared"],
        ["ruff", "format", "--no-cache", "--check", "shared"],
        *([["mypy", "--cache-dir", "/dev/null", "shared"]] if AT_NIGHT else []),
        ["pytest", "-p", "no:cacheprovider", JUST_WRITTEN, *UNIT_TESTS],
    ):
        done = run(project, *command)
        assert done.returncode == 0, done.stdout
    user = sign_up(start_stack("--no-state", root=project).url)
    estimated, open_ended = user.create(estimate=90), user.create()
    assert (estimated["estimate"], open_ended["estimate"]) == (90, None)
    path = f"/tasks/{estimated['id']}"
    assert user("PATCH", path, json={"estimate": -1}).status_code == 422
    listed = user("GET", "/tasks?under=91&limit=1")
    assert [task["id"] for task in listed.json()] == [estimated["id"]]
    assert user("GET", "/tasks?under=90").json() == []
    assert user("PATCH", path, json={"estimate": None}).json()["estimate"] is None
    assert user("GET", path).json()["estimate"] is None


def test_a_forgotten_step_is_named(project: Path) -> None:
    follow(GUIDE, project)
    models = project / "shared/api/task_models.py"
    lines = models.read_text("utf-8").splitlines(keepends=True)
    models.write_text("".join(line for line in lines if not line.startswith("    estimate:")), "utf-8")
    done = run(project, "pytest", "-p", "no:cacheprovider", UNIT_TESTS[0])
    assert "Add estimate to _TaskFields in shared/api/task_models.py: no request can set it." in done.stdout
