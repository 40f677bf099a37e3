"""Optional tools: each is looked up once, before the first test that needs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


class Tool:
    """A program or a service, and how to get it."""

    def __init__(self, needs: str, look: Callable[[], str | None]) -> None:
        self.reason = f"needs {needs}"
        self.find = cache(look)
        """What the lookup found, such as a path; None if the tool is missing."""

    @property
    def path(self) -> str:
        """The tool's path, for tests with the tool's mark."""
        path = self.find()
        assert path is not None, self.reason
        return path


def _first_of(*programs: str) -> Callable[[], str | None]:
    return lambda: next(filter(None, map(shutil.which, programs)), None)


def _output_of(*command: str, timeout: float = 20) -> str | None:
    """Run a command; returns what it prints, or None if it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _find_docker() -> str | None:
    # In another process, because docker-py leaves its socket open if Docker does not respond.
    ping = "import docker; client = docker.from_env(timeout=10); client.ping(); print(client.api.base_url)"
    return _output_of(sys.executable, "-c", ping)


def _find_lambda_python() -> str | None:
    # Run it, because a version manager's shim of that name may only print how to install it.
    return _output_of("python3.13", "-c", "import sys; print(sys.executable)")


DOCKER = Tool("Docker: start it, see https://docs.docker.com/get-docker", _find_docker)
REDIS = Tool(
    "redis-server or valkey-server: on Debian, apt install redis-server",
    _first_of("redis-server", "valkey-server"),
)
CHROMIUM = Tool(
    "Chromium: on Debian, apt install chromium", _first_of("chromium", "chromium-browser", "google-chrome")
)
LAMBDA_PYTHON = Tool(
    "python3.13, which Lambda runs: see https://www.python.org/downloads", _find_lambda_python
)
RELEASES = {"1.5.0": "f644246"}
"""Commits of earlier releases, oldest first; the upgrade test deploys this version over them."""
HISTORY = Tool(
    "the history of the repository: git fetch --unshallow",
    lambda: _output_of("git", "-C", str(Path(__file__).parent), "rev-parse", *RELEASES.values()),
)
CLONE = Tool(
    "a clone of the repository, by git",
    lambda: _output_of("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"),
)
NPX = Tool("npx: see https://nodejs.org", _first_of("npx"))
CURL = Tool("curl: see https://curl.se", _first_of("curl"))

needs_docker = pytest.mark.needs(DOCKER)
needs_redis = pytest.mark.needs(REDIS)
needs_chromium = pytest.mark.needs(CHROMIUM)
needs_lambda_python = pytest.mark.needs(LAMBDA_PYTHON)
needs_clone = pytest.mark.needs(CLONE)
needs_npx = pytest.mark.needs(NPX)
needs_curl = pytest.mark.needs(CURL)


def skip_without_its_tools(item: pytest.Item) -> None:
    """Skip a test if one of its tools is missing."""
    for mark in item.iter_markers("needs"):
        (tool,) = mark.args
        if tool.find() is None:
            pytest.skip(tool.reason)
