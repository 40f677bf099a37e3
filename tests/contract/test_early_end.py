"""Tests that are ended early leave no stack behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.test_stack import processes_of
from tests.local_stack import ROOT, await_condition

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
        group = next(int(line.split()[-1]) for line in tests.stdout if "stack " in line)
        assert processes_of(group)
        tests.send_signal(number)
        tests.wait(60)
    try:
        await_condition(lambda: not processes_of(group), timeout=10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
