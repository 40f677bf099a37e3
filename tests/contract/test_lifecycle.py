"""How the local stack ends, and which requests its backends refuse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.local_stack import ROOT, Stack, are_gone, await_condition, processes_of, sign_up

StartStack = Callable[..., Stack]
TARGET = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}


@contextmanager
def starting() -> Iterator[subprocess.Popen[str]]:
    """A stack that is starting, in its own process group, as in a terminal."""
    command = [sys.executable, "-m", "tools.local", "--port", "0", "--no-state"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as stack:
        yield stack


def test_it_ends_with_an_error_when_its_backends_die(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    sign_up(stack.url)
    everything = processes_of(stack.process.pid)
    next(each for each in everything if "tools.local.backends" in each.cmdline()).kill()
    assert stack.process.wait(30) == 1
    await_condition(lambda: are_gone(everything))
    assert [line for line in stack.lines if line.startswith("error: The backends ended")]


def test_a_second_signal_ends_it_at_once(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    everything = processes_of(stack.process.pid)
    stack.process.send_signal(signal.SIGSTOP)  # so that both signals are pending when it continues
    stack.process.send_signal(signal.SIGINT)
    stack.process.send_signal(signal.SIGTERM)
    stack.process.send_signal(signal.SIGCONT)
    assert stack.process.wait(10) == 130
    await_condition(lambda: are_gone(everything))


def test_it_stops_at_once_while_it_starts() -> None:
    with starting() as stack:
        # it installs its signal handlers before it starts processes
        await_condition(lambda: len(processes_of(stack.pid)) > 1)
        processes = processes_of(stack.pid)
        stack.send_signal(signal.SIGINT)
        output, _ = stack.communicate(timeout=30)
    assert stack.returncode == 0
    assert "Traceback" not in output
    assert "ready" not in output
    await_condition(lambda: are_gone(processes))


def test_ctrl_c_in_a_terminal_leaves_nothing_behind_and_prints_no_traceback() -> None:
    """A terminal sends SIGINT to the whole group, while the process that workers fork from still loads."""
    with starting() as stack:
        assert stack.stdout is not None
        output, processes = "", []
        for line in stack.stdout:
            output += line
            if "ready in" in line:
                processes = processes_of(stack.pid)
                os.killpg(stack.pid, signal.SIGINT)
    assert stack.returncode == 0
    assert "Traceback" not in output
    assert "Fatal" not in output
    assert len(processes) > 2
    await_condition(lambda: are_gone(processes))


def test_it_leaves_nothing_behind_while_busy_and_with_open_connections(
    start_stack: StartStack, project: Path
) -> None:
    app = project / "functions/get_task/app.py"
    app.write_text("import time\n\ndef handler(event, context):\n    print('busy')\n    time.sleep(60)\n")
    stack = start_stack("--no-state", root=project)
    user = sign_up(stack.url)
    user.create()
    aws, api = stack.wait_for(r"AWS\s+http://127.0.0.1:(\d+)")[1], stack.url.rpartition(":")[2]

    def ask() -> None:
        with suppress(requests.RequestException):
            requests.get(f"{stack.url}/tasks/1", headers=user.session.headers, timeout=30)

    asking = threading.Thread(target=ask)
    asking.start()
    stack.wait_for("busy")
    processes = processes_of(stack.process.pid)
    assert len(processes) > 3
    assert stack.stop(signal.SIGTERM) == 0  # while the user's connection is open
    asking.join()
    await_condition(lambda: are_gone(processes))
    for port in (api, aws):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0
    assert not [line for line in stack.lines if "Traceback" in line]
    assert not (project / ".local").exists(), "--no-state wrote to .local"


class TestBackends:
    @pytest.fixture
    def aws(self, stack: Stack) -> str:
        return stack.wait_for(r"AWS\s+(http://\S+)")[1]

    @pytest.mark.parametrize(
        ("method", "headers", "statuses"),
        [
            *[("POST", {"Origin": origin}, {403}) for origin in ("https://example.com", "null")],
            ("POST", {"Origin": "http://127.0.0.1:3000"}, {403}),
            *[("POST", {"Host": host}, {403}) for host in ("example.com", "127.0.0.1")],
            *[("POST", {"Host": host}, {400, 403}) for host in ("127.0.0.1.example.com:80", "")],
            *[(method, {}, {403}) for method in ("GET", "OPTIONS", "PUT")],
            *[("POST", {"X-Amz-Target": target}, {400}) for target in ("", "S3.ListBuckets", "?" * 99)],
            ("POST", {"X-Amz-Target": "DynamoDB_20120810"}, {400}),
        ],
    )
    def test_refuse_web_pages_other_hosts_and_other_services(
        self, aws: str, method: str, headers: dict[str, str], statuses: set[int]
    ) -> None:
        answer = requests.request(method, aws, data="{}", headers={**TARGET, **headers}, timeout=10)
        assert answer.status_code in statuses
        assert "TableNames" not in answer.text
        assert not [name for name in answer.headers if name.startswith("Access-Control")]

    def test_refuse_large_payloads(self, aws: str) -> None:
        answer = requests.post(aws, data=b"x" * 17_000_000, headers=TARGET, timeout=10)
        assert answer.status_code == 413

    def test_serve_this_machine_and_keep_connections_open(self, aws: str) -> None:
        with requests.Session() as session:
            for _ in range(3):
                assert session.post(aws, data="{}", headers=TARGET, timeout=10).json()["TableNames"]
            adapter: Any = session.get_adapter(aws)
            (pool,) = adapter.poolmanager.pools._container.values()
            assert pool.num_connections == 1
