"""The local stack, started as `make run` starts it, and clients that speak HTTP to it."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import requests

ROOT = Path(__file__).parent.parent

START_TIMEOUT = 60
_numbers = itertools.count()


class Stack:
    """A running local stack."""

    def __init__(self, *arguments: str, root: Path = ROOT, schedules: bool = False) -> None:
        off = () if schedules else ("--no-schedules",)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.local", "--port", "0", *off, *arguments],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()
        self.url = self.wait_for(r"^\s+docs\s+(http://\S+)/docs$")[1]

    def _collect(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        self.process.wait()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until a line that matches is printed."""

        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.process.poll() is not None, START_TIMEOUT)
            match = found()
        assert match, "\n".join(self.lines)
        return match

    def stop(self, number: int = signal.SIGINT) -> int:
        """End the stack as Ctrl-C does; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def notified(*stacks: Stack) -> Counter[str]:
    """How many notifications each title got."""
    lines = [line for stack in stacks for line in stack.lines if "notification sent" in line]
    return Counter(json.loads(line.partition("title=")[2]) for line in lines)


def processes_of(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def are_gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether all have ended; zombies count as ended."""
    return all(not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in processes)


def await_condition(condition: Callable[[], bool], timeout: float = 60) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Client:
    """A user of the API."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self.session = requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        return self.session.request(method, url, timeout=30, **options)

    def create(self, title: str | None = None, **fields: Any) -> dict[str, Any]:
        response = self("POST", "/tasks", json={"title": title or unique("Task"), **fields})
        assert response.status_code == 201, response.text
        task: dict[str, Any] = response.json()
        return task


def unique(text: str) -> str:
    return f"{text} {next(_numbers)} of {os.getpid()}"


def sign_up(url: str) -> Client:
    """Create a user and sign it in."""
    anyone, name = Client(url), f"user{next(_numbers)}"
    created = anyone("POST", "/auth/create", json={"username": name, "password": "correct horse"})
    assert created.status_code == 201, created.text
    token = anyone("POST", "/auth/login", data={"username": name, "password": "correct horse"})
    return Client(url, token.json()["access_token"])
