"""What the tests that run SAM CLI share."""

from __future__ import annotations

import os
import subprocess
import sys

import docker
import pytest
from docker.errors import DockerException

from tests.local_stack import ROOT


def _find_lambda_python() -> str | None:
    """Where python3.13 is. A version manager's command of that name may only tell how to get it."""
    try:
        command = ["python3.13", "-c", "import sys; print(sys.executable)"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env(timeout=10).ping())
    except DockerException:
        return False


LAMBDA_PYTHON = _find_lambda_python()
needs_lambda_python = pytest.mark.skipif(LAMBDA_PYTHON is None, reason="needs python3.13, which Lambda runs")
needs_docker = pytest.mark.skipif(not _docker_answers(), reason="needs Docker")


def sam(*arguments: str, timeout: float = 300) -> str:
    """Run SAM CLI in the project's folder; returns what it prints."""
    # Without credentials, or it looks for whose they are.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "samcli", *arguments],
        cwd=ROOT,
        env=environment | {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
