"""The warm path: CPU time of a request inside the handler."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from tests.handlers import event
from tests.local_stack import await_condition
from tests.performance.programs import Program, alternative, backends, bare, build, dynamodb, ours, run, say
from tests.performance.report import bars, ratio, table
from tests.tasks import new_task
from tools.local.backends.process import Endpoints
from tools.local.backends.redis_server import free_port

ROUNDS = 4
REQUESTS = 60
WARM_UP = 15
TASKS = 20
AIM = 1.25
READ, UNCACHED, CACHED, CREATE = "read one", "list, not cached", "list, cached", "create"
CREATED = {"title": "New @number@", "description": "A few words"}

Times = Mapping[tuple[str, str], float]
"""Seconds by program and request."""


def measure() -> str:
    layer = build()
    best: dict[str, dict[tuple[str, str], float]] = {"cpu": {}, "first": {}}
    with _postgres() as database:
        for number in range(ROUNDS):
            say(f"warm requests, round {number + 1} of {ROUNDS}")
            # New backends in each round, because moto's transactions slow down with the number of writes.
            with backends() as endpoints:
                _round(number, layer, endpoints, database, best)
    costs, first = best["cpu"], best["first"]
    cached, uncached = costs["ours", CACHED], min(costs["bare", READ], costs["bare", UNCACHED])
    compared = {f"{kind}: {who}": time / costs["bare", _same(kind)] for (who, kind), time in costs.items()}
    return f"""Warm path

CPU time of the function's process per request, including botocore and logging. In each of {ROUNDS} rounds the programs take
turns, each with {REQUESTS} requests after {WARM_UP} to warm up; the table has the best round of each. *bare* makes the same
calls to the same table (in the local stack's emulator, another process) with boto3 and does nothing else: no validation, no
logs, no metrics, no cache. FastApi {"queries PostgreSQL instead" if database else "is not measured, because there is no PostgreSQL"}.
The aim is at most {AIM} × bare.

{_table(costs)}
{bars("warm_path", "CPU time per request, in times of the bare handler's", compared, limit=AIM)}
A cached list takes {cached * 1000:.2f} ms of CPU, which is {cached / uncached:.2f} × the cheapest read of the table by the
bare handler.

The elapsed time of the first request after the import, including lazy imports and new connections:

{_table(first)}"""


def _same(kind: str) -> str:
    """The bare handler's request to compare with."""
    return UNCACHED if kind == CACHED else kind


def _table(times: Times) -> str:
    others = ("ours", "Powertools", "FastApi")
    rows = []
    for kind in (READ, UNCACHED, CACHED, CREATE):
        floor = times["bare", _same(kind)]
        compared = [ratio(times[who, kind] / floor) if (who, kind) in times else "–" for who in others]
        rows.append([kind, f"{floor * 1000:.2f} ms", *compared])
    return table(["request", "bare", *others], rows)


def _round(
    number: int,
    layer: Path,
    endpoints: Endpoints,
    database: str | None,
    best: Mapping[str, dict[tuple[str, str], float]],
) -> None:
    """Run all in turn, and keep the best times of each."""
    read = _event("GET", "/tasks/{task_id}", _fill(endpoints))
    listed, created = _event("GET", "/tasks"), _event("POST", "/tasks", body=CREATED)
    redis = endpoints.redis
    runs: dict[tuple[str, str], tuple[Program, str]] = {
        ("ours", READ): (ours(layer, "GetTaskFunction"), read),
        ("ours", UNCACHED): (ours(layer, "ListTasksFunction", REDIS_URL=""), listed),
        ("ours", CACHED): (ours(layer, "ListTasksFunction", REDIS_URL=redis), listed),
        ("ours", CREATE): (ours(layer, "CreateTaskFunction", REDIS_URL=redis), created),
    }
    requests = {READ: read, UNCACHED: listed, CREATE: created}
    for program in (bare(layer), alternative("Powertools")):
        runs |= {(program.name, kind): (program, request) for kind, request in requests.items()}
    if database:
        theirs = alternative("FastApi", DATABASE_URL=database, REDIS_URL=redis)
        requests[READ] = _event("GET", "/tasks/{task_id}", _fill_fastapi(theirs, ROUNDS + number))
        runs |= {(theirs.name, kind): (theirs, request) for kind, request in requests.items()}
    for key, (program, request) in runs.items():
        done = run(program, endpoints, {"it": request}, warm_up=WARM_UP, times=REQUESTS, number=number)
        result = done["requests"]["it"]
        assert result["statuses"] == [201 if key[1] == CREATE else 200], (key, result)
        for what, times in best.items():
            times[key] = min(times.get(key, result[what]), result[what])


def _fill(endpoints: Endpoints) -> str:
    """Create tasks; returns the id of one."""
    client = dynamodb(endpoints.aws)
    store = TaskStore(lambda: None, client=client, table="TasksTable", shards=StatusShards())
    for number in range(TASKS):
        task = store.create(new_task(f"Task {number}", description="A few words")).task
    return task.id


def _event(method: str, route: str, task_id: str | None = None, body: object = None) -> str:
    sample = event("get_task")
    path = route.replace("{task_id}", task_id or "")
    context = sample["requestContext"] | {"resourcePath": route, "path": path, "httpMethod": method}
    changed = {
        **sample,
        "httpMethod": method,
        "resource": route,
        "path": path,
        "pathParameters": {"task_id": task_id} if task_id else None,
        "requestContext": context,
        "body": json.dumps(body) if body else None,
        "headers": {**sample["headers"], "Content-Type": "application/json"},
        "multiValueHeaders": {
            **(sample.get("multiValueHeaders") or {}),
            "Content-Type": ["application/json"],
        },
    }
    return json.dumps(changed)


def _fill_fastapi(program: Program, number: int) -> str:
    """Make FastAPI's table and create tasks there; returns the id of one."""
    run(program, events={"setup": _event("POST", "/setup")}, times=1)
    run(program, events={"create": _event("POST", "/tasks", body=CREATED)}, times=TASKS, number=number)
    url = program.variables["DATABASE_URL"].replace("+asyncpg", "")
    query = ["psql", "-d", url, "-Atc", "select id from tasks limit 1"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def _postgres() -> Iterator[str | None]:
    """A PostgreSQL server with an empty database, where one is installed; yields its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = Path(shutil.which("postgres") or (found[-1] / "postgres" if found else "")).parent
    if not (programs / "initdb").exists():
        yield None
        return
    # PostgreSQL does not run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        data, port = f"{folder}/data", free_port()
        subprocess.run(
            [*user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        options = ["-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        server = subprocess.Popen(
            [*user, programs / "postgres", *options], stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            psql = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
            await_condition(
                lambda: (
                    not subprocess.run([*psql, "-c", "create database tasks"], capture_output=True).returncode
                )
            )
            yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/tasks"
        finally:
            server.terminate()
            server.wait(30)
