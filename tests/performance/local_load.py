"""The local stack under load: as it grows, with many clients at once, and idle."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from tests.local_stack import Client, Stack, await_condition, processes_of, sign_up, unique
from tests.performance.programs import dynamodb, say
from tests.performance.report import ratio, table
from tests.tasks import changing, new_task

SIZE = 20_000
"""The number of tasks to grow to, and of changes to make then."""
SAMPLES = 300
CREATES = 2_000
CLIENTS = 16
READERS = 8
READING_TIME = 10
IDLE_TIME = 30
"""Seconds."""


def measure() -> str:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack("--state", str(Path(folder) / "state.db"))
        try:
            return _measure(stack)
        finally:
            stack.stop()


def _measure(stack: Stack) -> str:
    user = sign_up(stack.url)
    endpoint = stack.wait_for(r"AWS\s+(http://\S+)")[1]
    client = dynamodb(endpoint)
    store = TaskStore(lambda: None, client=client, table="TasksTable", shards=StatusShards())
    processes = processes_of(stack.process.pid)
    backends = next(each for each in processes if "tools.local.backends" in each.cmdline())

    say("a fresh local stack")
    fresh = _median(user.create)
    through, bare = _get_and_get_item(user, client)
    memory = [_memory(backends)]
    one = _creates(user, clients=1)
    many = _creates(user, clients=CLIENTS)
    reads = _reads(user)

    say(f"growing to {SIZE:,} tasks")
    existing = 2 * CREATES + SAMPLES
    ids = [
        store.create(new_task(unique("Grown"), description="x" * 100)).task.id for _ in range(SIZE - existing)
    ]
    _await_delivery(stack)
    memory.append(_memory(backends))
    grown = _median(user.create)
    list_grown = _median(lambda: user("GET", f"/tasks?created_at={time.time()}"))

    say(f"{SIZE:,} changes")
    for number, task in zip(range(SIZE), itertools.cycle(ids)):
        store.update(task, changing(description=f"change {number}"))
    _await_delivery(stack)
    memory.append(_memory(backends))
    changed = _median(user.create)

    say("idle")
    _await_delivery(stack)
    processes = processes_of(stack.process.pid)
    before = _cpu(processes)
    time.sleep(IDLE_TIME)
    idle = (_cpu(processes) - before) / IDLE_TIME

    rows = [
        ["a create on a fresh stack", f"{1000 * fresh:.1f} ms", "1", ""],
        [f"a create at {SIZE:,} tasks", f"{1000 * grown:.1f} ms", ratio(grown / fresh), "1.3 ×"],
        [f"a create after {SIZE:,} changes", f"{1000 * changed:.1f} ms", ratio(changed / fresh), "1.3 ×"],
        [
            f"an uncached list at {SIZE:,} tasks",
            f"{1000 * list_grown:.1f} ms",
            ratio(list_grown / fresh),
            "2 ×",
        ],
        ["a bare GetItem", f"{1000 * bare:.1f} ms", "1", ""],
        ["a GET of a task through the stack", f"{1000 * through:.1f} ms", ratio(through / bare), "4 ×"],
        [f"creates a second, 1 client, {CREATES:,} in all", f"{one:.0f}", "1", ""],
        [f"creates a second, {CLIENTS} clients", f"{many:.0f}", ratio(many / one), "at least 1 ×"],
        [f"cached lists a second, {READERS} clients", f"{reads:.0f}", "", "at least 300"],
        ["memory of the backends, fresh", f"{memory[0]:.0f} MB", "", ""],
        [f"at {SIZE:,} tasks", f"{memory[1]:.0f} MB", "", ""],
        [f"after {SIZE:,} changes", f"{memory[2]:.0f} MB", ratio(memory[2] / memory[1]), ""],
        ["CPU of all its processes when idle", f"{100 * idle:.2f} % of a core", "", "1 %"],
    ]
    return f"""The local stack under load

`make run`, with its state in a file. Creates and reads go through the whole stack: the gateway, the authorizer's policy, a
function in a worker, and the emulator. The client that measures uses the same cores. Every create returned 201.

{table(["", "", "ratio", "aim"], rows)}"""


def _creates(user: Client, *, clients: int) -> float:
    """Create tasks with concurrent clients; returns tasks per second."""
    say(f"{clients} clients that create {CREATES:,} tasks")

    def create(_: int) -> Counter[int]:
        client = Client(user.url, user.token)
        return Counter(
            client("POST", "/tasks", json={"title": unique("Load")}).status_code
            for _ in range(CREATES // clients)
        )

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        statuses = sum(threads.map(create, range(clients)), Counter[int]())
    assert set(statuses) == {201}, statuses
    return statuses.total() / (time.perf_counter() - started)


def _reads(user: Client) -> float:
    """Read the cached list with concurrent clients; returns reads per second."""
    say(f"{READERS} clients that list")
    deadline = time.monotonic() + READING_TIME

    def read(_: int) -> int:
        client, count = Client(user.url, user.token), 0
        while time.monotonic() < deadline:
            assert client("GET", "/tasks").status_code == 200
            count += 1
        return count

    with ThreadPoolExecutor(READERS) as threads:
        return sum(threads.map(read, range(READERS))) / READING_TIME


def _get_and_get_item(user: Client, dynamodb: Any) -> tuple[float, float]:
    """Median seconds of a GET and of a GetItem of the same task, in turn."""
    task = user.create()["id"]
    times: tuple[list[float], list[float]] = [], []
    key = {"pk": {"S": f"TASK#{task}"}}
    for _ in range(SAMPLES):
        times[0].append(_timed(lambda: user("GET", f"/tasks/{task}")))
        times[1].append(_timed(lambda: dynamodb.get_item(TableName="TasksTable", Key=key)))
    return statistics.median(times[0]), statistics.median(times[1])


def _await_delivery(stack: Stack) -> None:
    """Wait until nothing has been delivered for some seconds."""
    seen = -1

    def is_quiet() -> bool:
        nonlocal seen
        time.sleep(5)
        before, seen = seen, len(stack.lines)
        return seen == before

    await_condition(is_quiet, timeout=600)


def _memory(process: psutil.Process) -> float:
    """Resident memory in MB."""
    return float(process.memory_info().rss / 1e6)


def _cpu(processes: Sequence[psutil.Process]) -> float:
    """Seconds of CPU that processes have used."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def _median(act: Callable[[], object]) -> float:
    return statistics.median(_timed(act) for _ in range(SAMPLES))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
