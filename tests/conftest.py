"""What all tests share: their environment, the local stack, and copies of the project to change."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.local_stack import ROOT, Client, Stack, sign_up
from tests.optional import skip_without_its_tools
from tests.sam_cli import sam
from tests.template import environment

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    POWERTOOLS_LOG_LEVEL="INFO",
    **environment(),
)
os.environ.pop("AWS_ENDPOINT_URL", None)


settings.register_profile("no test measures time", deadline=None)
settings.load_profile("no test measures time")


def pytest_configure() -> None:
    # Handle SIGTERM as Ctrl-C, so that fixtures stop what they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before any fixture is made for it
def pytest_runtest_setup(item: pytest.Item) -> None:
    skip_without_its_tools(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped, one line per reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}", yellow=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    stack = Stack("--no-state")
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def anyone(stack: Stack) -> Client:
    """A client without a token."""
    return Client(stack.url)


@pytest.fixture(scope="session")
def user(stack: Stack) -> Client:
    """A signed-in client."""
    return sign_up(stack.url)


@pytest.fixture(scope="session")
def built() -> Path:
    """The output folder of `sam build`."""
    sam("build")
    return ROOT / ".aws-sam/build"


def copy_project(target: Path, *folders: str) -> None:
    """Copy the template and some of the project's folders."""
    for name in folders:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", target)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project to change."""
    copy_project(tmp_path, "functions", "shared", "tools")
    return tmp_path


@pytest.fixture
def start_stack() -> Iterator[Callable[..., Stack]]:
    """Start stacks that stop when the test ends."""
    started: list[Stack] = []

    def start(*arguments: str, root: Path = ROOT) -> Stack:
        started.append(Stack(*arguments, root=root))
        return started[-1]

    yield start
    for stack in started:
        stack.stop()
