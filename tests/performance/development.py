"""The development loop: `make run` compared with `sam local start-api`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import copy_project
from tests.local_stack import ROOT, Client, Stack, await_condition, sign_up
from tests.optional import DOCKER
from tests.performance.programs import say
from tests.performance.report import bars, table
from tests.sam_cli import sam, sam_environment
from tools.local.backends.redis_server import free_port
from tools.local.sam_local import architecture

REQUESTS = 50
COLD_REQUESTS = 3
DOCUMENT = "/openapi.json"


def measure() -> str:
    if not DOCKER.find():
        return "The development loop\n\nNot measured: this machine has no Docker.\n"
    project = Path(tempfile.mkdtemp(prefix="project"))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # developers' machines do not set it
    copy_project(project, "functions", "shared", "tools", "layer", "requirements")
    for name in ("samconfig.toml", "Makefile"):
        shutil.copy(ROOT / name, project)
    warm_sam = _loop(project, "--docker")
    ours = _loop(project)
    cold_sam = _cold_containers(project)
    names = {
        "ready": "ready, already built",
        "built": "ready, from the sources",
        "first": "the first request",
        "read": "after that: a task",
        "list": "the list, cached",
        "document": "the API's document",
        "changed": "new code, from saving it",
    }
    rows = [
        [
            name,
            f"{ours[key]:.3f} s",
            *(_compared(theirs.get(key), ours[key]) for theirs in (warm_sam, cold_sam)),
        ]
        for key, name in names.items()
    ]
    plotted = {
        f"{name}: {who}": theirs[key] / ours[key]
        for key, name in names.items()
        for who, theirs in (("warm", warm_sam), ("without", cold_sam))
        if key in theirs
    }
    return f"""The development loop

`make run` compared with SAM CLI, on a machine with Docker that already has the images. With warm containers, SAM CLI runs
as in `make sam-local`: `sam build`, then `sam local start-api --warm-containers LAZY` with the same backends. Without them,
it runs `sam build` and `sam local start-api` alone, and serves the API's document, which needs no backend. *Ready* is when
the first request can be sent; *new code* is when a response comes from it, for which `sam local` has to build and start
again. The aims: ready in a third of the time, a request in a quarter, new code within a second. Without a build, both
spend most of the time until they are ready on importing SAM CLI.

{table(["", "make run", "SAM CLI, warm containers", "without"], rows)}
{bars("development", "Time SAM CLI takes, in times of make run", plotted, logarithmic=True)}"""


def _compared(theirs: float | None, ours: float) -> str:
    return "–" if theirs is None else f"{theirs:.3f} s ({theirs / ours:.1f} ×)"


def _loop(project: Path, *options: str) -> dict[str, float]:
    """Serve the project, with SAM CLI or as `make run` does, and use it; returns the seconds of each step."""
    say(f"the development loop, {'sam local' if options else 'make run'}")
    build = _timed(lambda: sam("build", folder=project)) if options else 0
    Stack("--no-state", *options, root=project).stop()  # the first start compiles the copy
    started = time.perf_counter()
    stack = Stack("--no-state", *options, root=project)
    times = {"ready": time.perf_counter() - started}
    times["built"] = build + times["ready"]
    try:
        times["first"] = _timed(lambda: _get(Client(stack.url), DOCUMENT))
        user = sign_up(stack.url)
        path = f"/tasks/{user.create()['id']}"
        for key, wanted in (("read", path), ("list", "/tasks"), ("document", DOCUMENT)):
            _get(user, wanted)
            times[key] = _median(lambda wanted=wanted: _get(user, wanted), REQUESTS)
        if options:
            # Containers keep the code they started with: a change needs a build and a restart.
            times["changed"] = times["built"] + times["first"]
        else:
            times["changed"] = _timed(lambda: _change_and_see(project, user, path))
    finally:
        stack.stop(signal.SIGINT)
    return times


def _change_and_see(project: Path, user: Client, path: str) -> None:
    source = project / "functions/get_task/app.py"
    old = '{"ETag": etag(task.version)}'
    source.write_text(source.read_text().replace(old, '{"ETag": etag(task.version), "X-New": "1"}'))
    await_condition(lambda: "X-New" in user("GET", path).headers)


def _cold_containers(project: Path) -> dict[str, float]:
    """The same for SAM CLI without warm containers, as far as it works without backends."""
    say("the development loop, sam local without warm containers")
    port = free_port()
    command = [sys.executable, "-m", "samcli", "local", "start-api", "--skip-pull-image"]
    command += ["--port", str(port), "--parameter-overrides", f"Architecture={architecture()}"]
    build = _timed(lambda: sam("build", folder=project))
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=project,
        env=sam_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await_condition(lambda: _listens(port) or process.poll() is not None)
        times = {"ready": time.perf_counter() - started}
        times["built"] = build + times["ready"]
        anyone = Client(f"http://127.0.0.1:{port}")
        times["first"] = _timed(lambda: _get(anyone, DOCUMENT))
        times["document"] = _median(lambda: _get(anyone, DOCUMENT), COLD_REQUESTS)
        return times
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _get(client: Client, path: str) -> None:
    response = client("GET", path)
    assert response.status_code == 200, response.text


def _median(act: Callable[[], object], times: int) -> float:
    return statistics.median(_timed(act) for _ in range(times))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
