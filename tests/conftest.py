"""What all tests share: tables in moto, and the handlers of the functions."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.local_stack import ROOT, Client, Stack, sign_up
from tests.optional import skip_without_its_tools
from tests.redis_servers import PROGRAMS, Server, serve
from tests.sam_cli import sam

TOKEN_KEY = "the signing key of the tests, sixty-four characters or so of it!"

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    POWERTOOLS_SERVICE_NAME="task-api",
    TASKS_TABLE="TasksTable",
    STATUS_SHARDS="1",
    USERS_TABLE="UsersTable",
    TOKEN_SECRET="TokenSecret",
    TOKEN_LIFETIME="3600",
    SIGN_UP="enabled",
    REDIS_URL="",
    NOTIFICATIONS_QUEUE="NotificationsQueue",
    NOTIFIED_TABLE="NotifiedTable",
)
os.environ.pop("AWS_ENDPOINT_URL", None)


@pytest.hookimpl(tryfirst=True)  # before any fixture is made for it
def pytest_runtest_setup(item: pytest.Item) -> None:
    skip_without_its_tools(item)


@cache
def template_resources() -> Mapping[str, Any]:
    """The template's resources; reading it takes a quarter of a second."""
    from local.template import load_template

    return load_template(ROOT / "template.yaml", {}).resources


def create_resources() -> None:
    """Make the template's tables, queues and secret, empty, in moto."""
    from local.backends import Content

    Content(None, template_resources()).create({"tables": {}, "secrets": {"TokenSecret": TOKEN_KEY}})


@pytest.fixture
def aws() -> Iterator[None]:
    """The template's tables, queues and secret, empty, in moto."""
    with mock_aws():
        create_resources()
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb")


def event(name: str, **changes: Any) -> dict[str, Any]:
    """The sample event of a function, with some of its fields replaced."""
    return {**json.loads((ROOT / "events" / f"{name}.json").read_text()), **changes}


class LambdaContext:
    function_name = "Function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:Function"
    aws_request_id = "5a5a5a5a-0000-4000-8000-5a5a5a5a5a5a"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def load_function(name: str) -> ModuleType:
    """Import a function anew, as a new execution environment does."""
    path = ROOT / "functions" / name / "app.py"
    spec = util.spec_from_file_location(f"functions.{name}.app", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def invoke(aws: None) -> Callable[..., dict[str, Any]]:
    """Invoke a function with its sample event."""

    def invoke(name: str, **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = load_function(name).handler(event(name, **changes), LambdaContext())
        return answer

    return invoke


def counted_metrics(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was counted, in the stack's name."""
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert all(entry["service"] == "task-api" for entry in entries)
    declared = [entry["_aws"]["CloudWatchMetrics"][0] for entry in entries]
    assert {each["Namespace"] for each in declared} <= {"TaskApi"}
    return [metric["Name"] for each in declared for metric in each["Metrics"]]


@pytest.fixture(scope="module", params=PROGRAMS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from serve(request.param)


@pytest.fixture
def server(shared_server: Server) -> Server:
    """A Redis server that has long been there, and holds no pages."""
    shared_server.settle()
    return shared_server


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    stack = Stack("--no-state")
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def anyone(stack: Stack) -> Client:
    """One who is not signed in."""
    return Client(stack.url)


@pytest.fixture(scope="session")
def user(stack: Stack) -> Client:
    """One who is signed in."""
    return sign_up(stack.url)


@pytest.fixture(scope="session")
def built() -> Path:
    """What `sam build` makes."""
    sam("build")
    return ROOT / ".aws-sam/build"


def copy_project(target: Path, *folders: str) -> None:
    """Copy the template, and some of the project's folders."""
    for name in folders:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", target)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project to change."""
    copy_project(tmp_path, "functions", "shared", "local")
    return tmp_path


@pytest.fixture
def start_stack() -> Iterator[Callable[..., Stack]]:
    """Start stacks that end with the test."""
    started: list[Stack] = []

    def start(*arguments: str, root: Path = ROOT) -> Stack:
        started.append(Stack(*arguments, root=root))
        return started[-1]

    yield start
    for stack in started:
        stack.stop()
