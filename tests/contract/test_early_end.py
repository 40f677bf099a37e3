"""Interrupted test runs leave no stack running."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.local_stack import ROOT, are_gone, await_condition, processes_of

TESTS = """
import time, pytest

@pytest.fixture
def server():
    yield
    print("ended", flush=True)

def test_with_a_server(server):
    print("started", flush=True)
    time.sleep(600)

def test_with_a_stack(stack):
    print("started", stack.process.pid, flush=True)
    time.sleep(600)
"""


def start(folder: Path, test: str) -> subprocess.Popen[str]:
    file = folder / "test_slow.py"
    file.write_text(TESTS)
    options = ["-s", "-p", "no:randomly", "-p", "tests.conftest", "--rootdir", str(folder)]
    command = [sys.executable, "-m", "pytest", *options, f"{file}::{test}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_sigterm_lets_fixtures_clean_up(tmp_path: Path) -> None:
    with start(tmp_path, "test_with_a_server") as tests:
        assert tests.stdout is not None
        next(line for line in tests.stdout if "started" in line)
        tests.send_signal(signal.SIGTERM)
        assert "ended\n" in list(tests.stdout)


def test_a_stack_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with start(tmp_path, "test_with_a_stack") as tests:
        assert tests.stdout is not None
        stack = next(int(line.split()[-1]) for line in tests.stdout if "started" in line)
        processes = processes_of(stack)
        assert len(processes) > 2
        tests.kill()
    await_condition(lambda: are_gone(processes), timeout=20)
