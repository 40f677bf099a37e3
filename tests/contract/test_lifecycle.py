"""How the local stack ends, and that nobody else can talk to its backends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.local_stack import ROOT, Stack, are_gone, await_condition, processes_of, sign_up

StartStack = Callable[..., Stack]
TARGET = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}


def test_it_ends_with_an_error_when_its_backends_die(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    sign_up(stack.url)
    everything = processes_of(stack.process.pid)
    next(each for each in everything if "tools.local.backends" in each.cmdline()).kill()
    assert stack.process.wait(30) == 1
    await_condition(lambda: are_gone(everything))
    assert [line for line in stack.lines if line.startswith("error: The backends ended")]


def test_it_ends_when_its_parent_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'tools.local', '--port', '0', '--no-state'],"
        f" stdout=open({str(log)!r}, 'w'), start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    await_condition(lambda: "ready in" in log.read_text())
    everything = processes_of(child)
    assert len(everything) > 2
    parent.kill()
    parent.wait(10)
    await_condition(lambda: are_gone(everything))


def test_a_second_signal_ends_it_at_once(start_stack: StartStack, project: Path) -> None:
    (project / "functions/api_docs/app.py").write_text(
        "import time\n\ndef handler(event, context):\n    time.sleep(8)\n"
    )
    stack = start_stack("--no-state", root=project)
    everything = processes_of(stack.process.pid)
    stack.process.send_signal(signal.SIGSTOP)  # so that both signals are there when it looks
    stack.process.send_signal(signal.SIGINT)
    stack.process.send_signal(signal.SIGTERM)
    stack.process.send_signal(signal.SIGCONT)
    assert stack.process.wait(10) == 130
    await_condition(lambda: are_gone(everything))


def test_a_changed_template_needs_a_restart(start_stack: StartStack, project: Path) -> None:
    stack = start_stack("--no-state", root=project)
    os.utime(project / "template.yaml", (time.time() + 10, time.time() + 10))
    assert stack.wait_for(r"template.yaml has changed; start the stack again")


@pytest.fixture(scope="module")
def aws() -> Any:
    stack = Stack("--no-state")
    yield stack.wait_for(r"AWS\s+(http://\S+)")[1]
    stack.stop()


class TestTheBackends:
    def test_answer_this_machine(self, aws: str) -> None:
        assert requests.post(aws, data="{}", headers=TARGET, timeout=10).json()["TableNames"]

    @pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1:3000"])
    def test_refuse_web_pages(self, aws: str, origin: str) -> None:
        answer = requests.post(aws, data="{}", headers={**TARGET, "Origin": origin}, timeout=10)
        assert answer.status_code == 403
        assert "TableNames" not in answer.text
        assert not [name for name in answer.headers if name.startswith("Access-Control")]

    @pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "127.0.0.1.example.com:80", ""])
    def test_refuse_what_is_for_another_host(self, aws: str, host: str) -> None:
        answer = requests.post(aws, data="{}", headers={**TARGET, "Host": host}, timeout=10)
        assert answer.status_code in {400, 403}
        assert "TableNames" not in answer.text

    @pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
    def test_take_posts_only(self, aws: str, method: str) -> None:
        assert requests.request(method, aws, headers=TARGET, timeout=10).status_code == 403

    @pytest.mark.parametrize("target", ["", "S3.ListBuckets", "DynamoDB_20120810", "?" * 99])
    def test_have_no_other_services(self, aws: str, target: str) -> None:
        answer = requests.post(aws, data="{}", headers={"X-Amz-Target": target}, timeout=10)
        assert answer.status_code == 400

    def test_refuse_what_is_too_large(self, aws: str) -> None:
        answer = requests.post(aws, data=b"x" * 17_000_000, headers=TARGET, timeout=10)
        assert answer.status_code == 413

    def test_keep_connections(self, aws: str) -> None:
        with requests.Session() as session:
            for _ in range(3):
                assert session.post(aws, data="{}", headers=TARGET, timeout=10).ok
            (pool,) = session.get_adapter(aws).poolmanager.pools._container.values()
            assert pool.num_connections == 1


def test_it_stops_at_once_while_it_starts() -> None:
    command = [sys.executable, "-m", "tools.local", "--port", "0", "--no-state"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as stack:
        await_condition(
            lambda: len(processes_of(stack.pid)) > 1
        )  # its handlers are there before its processes
        processes = processes_of(stack.pid)
        stack.send_signal(signal.SIGINT)
        output, _ = stack.communicate(timeout=30)
    assert stack.returncode == 0
    assert "Traceback" not in output
    assert "ready" not in output
    await_condition(lambda: are_gone(processes))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_it_that_is_busy(start_stack: StartStack, project: Path, number: int) -> None:
    app = project / "functions/get_task/app.py"
    app.write_text("def handler(event, context):\n    print('busy')\n    while True: pass\n")
    stack = start_stack("--no-state", root=project)
    user = sign_up(stack.url)

    def ask() -> None:
        with suppress(requests.RequestException):
            user("GET", "/tasks/1")

    asking = threading.Thread(target=ask)
    asking.start()
    stack.wait_for("busy")
    processes = processes_of(stack.process.pid)
    stack.process.send_signal(number)
    stack.process.wait(20)
    asking.join()
    await_condition(lambda: are_gone(processes), timeout=20)


def test_ctrl_c_in_a_terminal_prints_no_traceback() -> None:
    """A terminal sends it to the whole group, where what workers are forked from still loads."""
    command = [sys.executable, "-m", "tools.local", "--port", "0", "--no-state"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as stack:
        assert stack.stdout is not None
        output = ""
        for line in stack.stdout:
            output += line
            if "ready in" in line:
                os.killpg(stack.pid, signal.SIGINT)
    assert stack.returncode == 0
    assert "Traceback" not in output
    assert "Fatal" not in output
