"""`make endpoint` writes an endpoint that works at once, and lists what is left to write."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import copy_project
from tests.local_stack import ROOT, Client, Stack, sign_up
from tests.nightly import nightly

FOLDERS = ("functions", "shared", "tools", "docs", "events", "tests")
EXTENDED = ("tests/component/test_permissions.py", "tests/expected.py", "tests/smoke.py")
"""The Python files to which an endpoint adds lines."""
UNIT_TESTS = ("tests/unit/test_endpoints.py", "tests/unit/test_openapi.py")
"""Unit tests that cover every endpoint."""
JUST_WRITTEN = "--deselect=tests/unit/test_openapi.py::test_the_document_is_up_to_date"
"""A document that was just generated need not be compared with its generator's output."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of all files that an endpoint involves."""
    copy_project(tmp_path, *FOLDERS)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in the copy; pytest runs without plugins, whose import takes a second."""
    command = [sys.executable, "-m", *arguments]
    variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=120)


def make_endpoint(project: Path, name: str, route: str) -> None:
    done = run(project, "tools.scaffold", name, route)
    assert done.returncode == 0, done.stderr
    assert f"wrote functions/{name}/app.py\n" in done.stdout


@nightly  # the worked example covers most of it
def test_a_new_endpoint_is_served_and_documented(project: Path, start_stack: Callable[..., Stack]) -> None:
    make_endpoint(project, "get_task_title", "GET /tasks/{task_id}/title")
    stack = start_stack("--no-state", root=project)
    user, anyone = sign_up(stack.url), Client(stack.url)
    task_id = user.create()["id"]
    response = user("GET", f"/tasks/{task_id}/title")
    assert (response.status_code, response.json()) == (200, {"task_id": task_id})
    assert anyone("GET", f"/tasks/{task_id}/title").status_code == 401
    described = anyone("GET", "/openapi.json").json()["paths"]["/tasks/{task_id}/title"]["get"]
    assert described["operationId"] == "get_task_title"
    assert described["security"]


def follow(document: str, project: Path) -> None:
    """Apply a document's code blocks: a block after "In `path`:" is that file, or a diff of it."""
    text = (project / document).read_text("utf-8")
    for path, kind, block in re.findall(r"In `([^`]+)`:\n\n```(\w+)\n(.*?)```", text, re.DOTALL):
        if kind == "diff":
            lines = block.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] != "+")
            new = "".join(line[1:] for line in lines if line[0] != "-")
            present = (project / path).read_text("utf-8")
            assert present.count(old) == 1, f"{path} must have these lines once:\n{old}"
            block = present.replace(old, new)
        (project / path).write_text(block, "utf-8")


def test_the_worked_example_works(project: Path) -> None:
    make_endpoint(project, "get_task_title", "GET /tasks/{task_id}/title")
    follow("docs/adding-an-endpoint.md", project)
    assert run(project, "tools.openapi").returncode == 0
    permissions = f"{EXTENDED[0]}::test_a_function_may_do_what_it_does_and_no_more[get_task_title]"
    tests = (*UNIT_TESTS, permissions, "tests/contract/test_get_task_title.py")
    files = ("functions/get_task_title", *EXTENDED, tests[-1])
    for command in (
        ["ruff", "check", "--no-cache", *files],
        ["ruff", "format", "--no-cache", "--check", *files],
        ["pytest", "-p", "no:cacheprovider", JUST_WRITTEN, *tests],
    ):
        done = run(project, *command)
        assert done.returncode == 0, done.stdout


@nightly
def test_only_descriptions_are_left_to_write(project: Path) -> None:
    """Makes several endpoints, because each must find its place in files that the others changed."""
    routes = {
        "a_name_as_long_as_they_may_be_it": "POST /users/{user}/of/{a_very_long_name_of_it}",
        "get_stats": "GET /stats",
        "sign_out": "DELETE /auth/session",
    }
    for name, route in routes.items():
        make_endpoint(project, name, route)
    written = [
        each.format(name) for name in routes for each in ("functions/{}/app.py", "tests/contract/test_{}.py")
    ]
    for command in (["check"], ["format", "--check"]):
        done = run(project, "ruff", *command, "--no-cache", *written, *EXTENDED)
        assert done.returncode == 0, done.stdout
    allowed = [f"{EXTENDED[0]}::test_a_function_may_do_what_it_does_and_no_more[{name}]" for name in routes]
    output = run(project, "pytest", "--tb=short", "-p", "no:cacheprovider", *UNIT_TESTS, *allowed).stdout
    failed = re.findall(r"^FAILED (\S+)", output, re.MULTILINE)
    assert failed == [f"{UNIT_TESTS[0]}::test_every_function_is_complete"], output
    advice = re.findall(r"^E     (\w.*)", output, re.MULTILINE)
    assert sorted(advice) == [
        f"Write what functions/{name}/app.py is for: it has TODO where your words go." for name in routes
    ]
