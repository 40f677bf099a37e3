"""What `make endpoint` refuses, in one line that says why, before it writes anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import copy_project
from tools.scaffold.__main__ import main

ROUTE = "GET /stats"
Contents = dict[Path, bytes]


def contents(folder: Path) -> Contents:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A copy of the project, and its contents."""
    folder: Path = tmp_path_factory.mktemp("project")
    copy_project(folder, "functions", "events", "tests", "docs")
    return folder, contents(folder)


def refusal(project: Path, name: str, route: str, patch: pytest.MonkeyPatch) -> int:
    patch.chdir(project)
    patch.setattr(sys, "argv", ["scaffold", name, route])
    return main()


@pytest.mark.parametrize(
    ("name", "route", "reason"),
    [
        ("", "", 'make endpoint NAME=get_task_title ROUTE="GET /tasks/{task_id}/title"'),
        ("get_stats", "", 'make endpoint NAME=get_task_title ROUTE="GET /tasks/{task_id}/title"'),
        ("GetStats", ROUTE, "write it in lower case, such as get_task_title"),
        ("get-stats", ROUTE, "write it in lower case, such as get_task_title"),
        ("../stats", ROUTE, "write it in lower case, such as get_task_title"),
        ("a" * 33, ROUTE, "NAME has 33 characters; the maximum is 32"),
        ("import", ROUTE, "'import' is a keyword of Python"),
        ("get_task", ROUTE, "the resource GetTaskFunction in template.yaml already exists"),
        ("get__stats", ROUTE, "write it in lower case, such as get_task_title"),
        ("contract", ROUTE, "tests/contract/test_contract.py already exists"),
        ("task", ROUTE, "the schema Task in functions/api_docs/openapi.json already exists"),
        ("get_stats", "/stats", "write one of GET, POST, PATCH, DELETE, and a path"),
        ("get_stats", "get /stats", "write one of GET, POST, PATCH, DELETE, and a path"),
        ("get_stats", "PUT /stats", "write one of GET, POST, PATCH, DELETE, and a path"),
        ("get_stats", "GET stats", "write one of GET, POST, PATCH, DELETE, and a path"),
        ("get_stats", "GET /", "without a slash at its end"),
        ("get_stats", "GET /stats/", "without a slash at its end"),
        ("get_stats", "GET /stats/{proxy+}", "without a slash at its end"),
        ("get_stats", f"GET /{'a' * 60}", "The path has 61 characters; the maximum is 60"),
        ("get_stats", "GET /stats/{class}", "'class' is a keyword of Python"),
        ("get_stats", "GET /stats/{id}/of/{id}", "has {id} twice"),
        ("get_stats", "GET /ping", "API Gateway reserves /ping"),
        ("get_stats", "GET /docs", "GET /docs already exists"),
        ("get_stats", "PATCH /tasks/{task_id}", "PATCH /tasks/{task_id} already exists"),
        ("get_stats", "GET /tasks/{id}/title", "names the parameter {task_id}: use that instead of {id}"),
    ],
)
def test_an_invalid_endpoint_is_refused_and_nothing_is_written(
    copied: tuple[Path, Contents],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    route: str,
    reason: str,
) -> None:
    project, before = copied
    assert refusal(project, name, route, monkeypatch) == 1
    output = capsys.readouterr()
    assert reason in output.err
    assert output.err.startswith("error: ")
    assert (output.err.count("\n"), output.out) == (1, "")
    assert contents(project) == before


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("template.yaml", "  BoardRole:"),
        ("template.yaml", "the network of the cache"),
        ("tests/expected.py", "# The routes that are answered without a token."),
        ("tests/smoke.py", '("DELETE", "/tasks/{task_id}")'),
        ("tests/component/test_permissions.py", '"invalidate_task_cache": '),
        ("docs/http-api.md", "| `GET /` | no | the board"),
    ],
)
def test_a_file_without_the_expected_place_is_named_and_nothing_is_written(
    copied: tuple[Path, Contents],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    gone: str,
) -> None:
    project, before = copied
    file = project / path
    changed = before[file].replace(gone.encode(), gone.swapcase().encode())
    assert changed != before[file]
    file.write_bytes(changed)
    try:
        assert refusal(project, "get_stats", ROUTE, monkeypatch) == 1
        assert path in capsys.readouterr().err
        assert contents(project) == {**before, file: changed}
    finally:
        file.write_bytes(before[file])
