"""The warm path: CPU time of a request inside the handler."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from local.redis_server import free_port
from shared.status_index import StatusShards
from shared.task_store import TaskStore
from shared.tasks import TaskStatus
from tests.conftest import event
from tests.local_stack import await_condition
from tests.performance.programs import Program, alternative, backends, bare, build, ours, run, say
from tests.performance.report import bars, ratio, table

ROUNDS = 4
REQUESTS = 60
WARM_UP = 15
TASKS = 20


def measure() -> str:
    layer = build()
    with backends() as endpoints, _postgres() as database:
        client: Any = boto3.client(
            "dynamodb",
            endpoint_url=endpoints.aws,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        store = TaskStore(client, "TasksTable", StatusShards())
        for number in range(TASKS):
            task = store.create(
                title=f"Task {number}", description="A few words", status=TaskStatus.PENDING, created_by="ada"
            )
        read = _event("GET", "/tasks/{task_id}", task.id)
        listed = _event("GET", "/tasks")
        created = _event("POST", "/tasks", body={"title": "New @number@", "description": "A few words"})
        kinds = {
            "read one": (read, "GetTaskFunction", ""),
            "list, not cached": (listed, "ListTasksFunction", ""),
            "list, cached": (listed, "ListTasksFunction", endpoints.redis),
            "create": (created, "CreateTaskFunction", endpoints.redis),
        }
        runs: dict[tuple[str, str], tuple[Program, str]] = {}
        for kind, (request, function, redis) in kinds.items():
            runs["ours", kind] = ours(layer, function, REDIS_URL=redis), request
            if kind == "list, cached":
                continue
            runs["bare", kind] = bare(layer), request
            runs["Powertools", kind] = alternative("Powertools"), request
            if database:
                runs["FastApi", kind] = (
                    alternative("FastApi", DATABASE_URL=database, REDIS_URL=endpoints.redis),
                    request,
                )
        if database:
            theirs = _prepare(alternative("FastApi", DATABASE_URL=database, REDIS_URL=endpoints.redis))
            runs["FastApi", "read one"] = (
                runs["FastApi", "read one"][0],
                _event("GET", "/tasks/{task_id}", theirs),
            )
        costs: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
        for number in range(ROUNDS):
            say(f"warm requests, round {number + 1} of {ROUNDS}")
            # Creating last, so that all lists are of the same tasks.
            for key, (program, request) in runs.items():
                if key[1] == "create" and number < 2:
                    continue
                result = run(
                    program, endpoints, events={"it": request}, warm_up=WARM_UP, times=REQUESTS, number=number
                )["requests"]["it"]
                expected = [201] if key[1] == "create" else [200]
                assert result["statuses"] == expected, (key, result)
                costs[key].append(result["cpu"])
    best = {key: min(each) for key, each in costs.items()}
    rows, plotted = [], {}
    for kind in kinds:
        floor = best["bare", "list, not cached" if kind == "list, cached" else kind]
        row = [kind, f"{floor * 1000:.2f} ms"]
        for who in ("ours", "Powertools", "FastApi"):
            if (who, kind) in best:
                row.append(ratio(best[who, kind] / floor))
                plotted[f"{kind}: {who}"] = best[who, kind] / floor
            else:
                row.append("–")
        rows.append(row)
    cached = best["ours", "list, cached"]
    uncached = min(best["bare", kind] for kind in ("read one", "list, not cached"))
    return f"""## Warm path

CPU time of the function's process per request, botocore's and the log's part included, from {REQUESTS} requests after
{WARM_UP} others in each of up to {ROUNDS} rounds, in turn; the best round of each. *bare* makes the same calls of the same
table (moto's server, in another process) with boto3 and does nothing else: it validates nothing, logs nothing, counts
nothing and has no cache. FastApi asks {"PostgreSQL" if database else "nothing here, because there is no PostgreSQL"}
instead. The aim is at most 1.50 × bare.

{table(["request", "bare", "ours", "Powertools", "FastApi"], rows)}
{bars("warm_path", "CPU time per request, in times of the bare handler's", plotted, limit=("aim", 1.5))}
A cached list takes {cached * 1000:.2f} ms of CPU, which is {cached / uncached:.2f} × the cheapest read of the table by the
bare handler.
"""


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


def _prepare(program: Program) -> str:
    """Fill FastAPI's table; returns the id of a task."""
    run(program, events={"setup": _event("POST", "/setup")}, times=1)
    created = _event("POST", "/tasks", body={"title": "Task @number@", "description": "A few words"})
    run(program, events={"create": created}, times=TASKS)
    url = program.variables["DATABASE_URL"]
    port = url.rpartition(":")[2].partition("/")[0]
    query = [
        "psql",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "-U",
        "postgres",
        "-Atc",
        "select id from tasks limit 1",
        "tasks",
    ]
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
