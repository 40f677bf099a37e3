"""Execution environments that start from one snapshot."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.local_stack import ROOT


def test_environments_from_one_snapshot_draw_different_numbers() -> None:
    """botocore draws them for its backoff."""
    code = """
import random
from snapshot_restore_py import get_after_restore
import shared.aws
restore, arguments, options = get_after_restore()[0]
drawn = []
for _ in range(2):
    random.seed(1)  # the state that the snapshot holds
    restore(*arguments, **options)
    drawn.append(random.random())
assert drawn[0] != drawn[1]
"""
    environment = {**os.environ, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
