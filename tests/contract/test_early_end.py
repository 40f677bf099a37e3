"""Tests that are ended early leave no stack behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_stack import ROOT, are_gone, await_condition, processes_of

A_TEST = """
import time

def test_that_takes_long(stack):
    print("stack", stack.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_stack_is_left_behind(tmp_path: Path, number: int) -> None:
    file = tmp_path / "test_slow.py"
    file.write_text(A_TEST)
    command = [sys.executable, "-m", "pytest", "-s", "-p", "tests.conftest", "--rootdir", str(tmp_path), file]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        stack = next(int(line.split()[-1]) for line in tests.stdout if "stack " in line)
        processes = processes_of(stack)
        assert len(processes) > 2
        tests.send_signal(number)
        tests.wait(60)
    await_condition(lambda: are_gone(processes), timeout=20)
