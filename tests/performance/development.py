"""The development loop: `make run` beside `sam local start-api`."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from tests.local_stack import ROOT, Client, Stack, sign_up
from tests.performance.programs import say
from tests.performance.report import bars, table

REQUESTS = 25
COLD_REQUESTS = 3


def measure() -> str:
    try:
        docker.from_env(timeout=10).ping()
    except DockerException:
        return "## The development loop\n\nNot measured: there is no Docker here.\n"
    project = Path(tempfile.mkdtemp(prefix="project"))
    for name in ("functions", "shared", "local", "layer", "requirements"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml", "Makefile"):
        shutil.copy(ROOT / name, project)
    warm_sam = _loop(project, "--docker", build=True)
    ours = _loop(project)
    cold_sam = _cold_containers(project)
    names = {
        "build": "sam build",
        "ready": "ready, from the command",
        "first": "the first request",
        "request": "a request, warm",
        "changed": "new code, from saving it",
    }
    rows = [
        [
            name,
            f"{ours[key]:.3f} s" if key in ours else "–",
            *(_compared(theirs.get(key), ours.get(key)) for theirs in (warm_sam, cold_sam)),
        ]
        for key, name in names.items()
    ]
    plotted = {
        f"{name}: {who}": theirs[key] / ours[key]
        for key, name in names.items()
        for who, theirs in (("warm", warm_sam), ("cold", cold_sam))
        if key in theirs and key in ours
    }
    return f"""## The development loop

`make run` beside SAM CLI, on a machine with Docker where the images are in place. With warm containers it is what
`make sam-local` runs, `sam build` and then `sam local start-api --warm-containers LAZY` with the same backends; without,
it is `sam build` and `sam local start-api` alone, asked for the API's document, which needs no backend. *Ready* is when
the first request can be sent, and *new code* when an answer comes from it: `sam local` serves what was built. The aims:
ready in a third of the time, a request in a quarter, new code within a second.

{table(["", "make run", "SAM CLI, warm containers", "without"], rows)}
{bars("development", "Time SAM CLI takes, in times of make run", plotted)}"""


def _compared(theirs: float | None, ours: float | None) -> str:
    if theirs is None:
        return "–"
    return f"{theirs:.3f} s" + (f" ({theirs / ours:.1f} ×)" if ours else "")


def _loop(project: Path, *options: str, build: bool = False) -> dict[str, float]:
    say(f"the development loop, {'sam local' if options else 'make run'}")
    started = time.perf_counter()
    times = {"build": _timed(lambda: _build(project))} if build else {}
    stack = Stack("--no-state", *options, root=project)
    times["ready"] = time.perf_counter() - started
    try:
        anyone = Client(stack.url)
        times["first"] = _timed(lambda: _ok(anyone("GET", "/openapi.json")))
        user = sign_up(stack.url)
        task = user.create()
        path = f"/tasks/{task['id']}"
        _ok(user("GET", path))
        times["request"] = statistics.median(_timed(lambda: _ok(user("GET", path))) for _ in range(REQUESTS))
        if not build:
            times["changed"] = _timed(lambda: _change_and_see(project, user, path))
    finally:
        stack.stop(signal.SIGINT)
    if build:
        # Containers keep what they were started with: after a change all is built and started again.
        times["changed"] = times["ready"] + times["first"]
    return times


def _change_and_see(project: Path, user: Client, path: str) -> None:
    source = project / "functions/get_task/app.py"
    old = "return task_answer(task)"
    source.write_text(source.read_text().replace(old, "return task_answer(task, headers={'X-New': '1'})"))
    while "X-New" not in user("GET", path).headers:
        time.sleep(0.01)


def _cold_containers(project: Path) -> dict[str, float]:
    """SAM CLI without warm containers, on a route that needs no backend."""
    say("the development loop, sam local without warm containers")
    from local.redis_server import free_port

    port = free_port()
    architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    command = [sys.executable, "-m", "samcli", "local", "start-api", "--skip-pull-image"]
    command += ["--port", str(port), "--parameter-overrides", f"Architecture={architecture}"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    started = time.perf_counter()
    times = {"build": _timed(lambda: _build(project))}
    process = subprocess.Popen(
        command,
        cwd=project,
        env={**own, "SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                requests.get(url, timeout=30)
                break
            except requests.ConnectionError:
                assert process.poll() is None
                time.sleep(0.02)
        times["ready"] = time.perf_counter() - started
        anyone = Client(url)
        times["first"] = _timed(lambda: _ok(anyone("GET", "/openapi.json")))
        times["request"] = statistics.median(
            _timed(lambda: _ok(anyone("GET", "/openapi.json"))) for _ in range(COLD_REQUESTS)
        )
        return times
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _build(project: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "samcli", "build"],
        cwd=project,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        check=True,
        capture_output=True,
    )


def _ok(response: requests.Response) -> None:
    assert response.status_code == 200, response.text


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
