"""Concurrent clients, while functions and Redis are killed: nothing is lost, stale, doubled or leaked."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from shared.tasks.indexes import StatusShards
from tests.load import LoadClient, Progress
from tests.local_stack import Stack, await_condition, notified, processes_of, sign_up
from tests.nightly import often
from tests.redis_servers import Server
from tools.migrations.check import problems

CLIENTS = 16
REQUESTS = int(os.environ.get("LOAD_REQUESTS", often(120, 6_000)))
"""Requests after the warm-up; 6,000 take two minutes."""
SEED = int(os.environ.get("LOAD_SEED", "1"))
_WARM_UP = often(120, 400)
_SLACK = 40
"""Extra file descriptors and threads that a process may have, because kills change these numbers."""
_QUEUE = "NotificationsQueue"


@pytest.fixture
def project(project: Path) -> Path:
    """A copy of the project where the messages of a killed function are redelivered after seconds."""
    template = project / "template.yaml"
    text = template.read_text()
    for setting, shorter in (
        ("VisibilityTimeout: 180", "VisibilityTimeout: 10"),
        ("Timeout: 30", "Timeout: 12"),
    ):
        assert setting in text
        text = text.replace(setting, shorter)
    template.write_text(text)
    return project


class Killer:
    """Kills functions and Redis, each time after a random number of requests, until the load ends."""

    def __init__(self, stack: Stack, server: Server, progress: Progress) -> None:
        self._random = random.Random(f"{SEED} killer")  # noqa: S311 (repeatable, not secret)
        self._stack = stack
        self._server = server
        self._progress = progress

    def kill_functions(self) -> None:
        while self._wait(40):
            self._kill_worker()

    def kill_all(self) -> None:
        acts = [*[self._kill_worker] * 12, self._kill_redis, self._pause_redis]
        while self._wait(40):
            self._random.choice(acts)()

    def _wait(self, most: int) -> bool:
        return self._progress.wait_for(self._random.randint(1, most))

    def _kill_worker(self) -> None:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            self._random.choice(workers(self._stack)).kill()
            self._progress.note("functions killed")

    def _kill_redis(self) -> None:
        self._server.kill()
        self._progress.note("Redis killed")
        self._wait(60)
        self._server.bring_back()

    def _pause_redis(self) -> None:
        self._server.pause()
        self._progress.note("Redis paused")
        self._wait(30)
        self._server.resume()


def run_all(acts: Iterable[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        for each in [threads.submit(act) for act in acts]:
            each.result()


def workers(stack: Stack) -> list[psutil.Process]:
    """The processes that functions run in."""
    return [worker for each in lasting(stack) for worker in each.children() if "forkserver" in command(each)]


def lasting(stack: Stack) -> list[psutil.Process]:
    """The stack's lasting processes: all but the workers."""
    process = psutil.Process(stack.process.pid)
    return [process, *process.children()]


def command(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


def usage(stack: Stack) -> dict[str, Counter[str]]:
    """Memory in bytes, file descriptors and threads of each lasting process."""
    return {
        command(each): Counter(
            memory=each.memory_info().rss, files=each.num_fds(), threads=each.num_threads()
        )
        for each in lasting(stack)
    }


def has_no_zombies(stack: Stack) -> bool:
    running = [each for each in processes_of(stack.process.pid) if each.is_running()]
    return not any(each.status() == psutil.STATUS_ZOMBIE for each in running)


def deaths(stack: Stack) -> Counter[str]:
    """How many invocations of each function were killed."""
    ends = r"Runtime exited (with error: signal: killed|without providing a reason)"
    lines = [line for line in stack.lines if re.search(ends, line)]
    return Counter(line.partition("│")[0].strip() for line in lines)


def test_under_load_and_kills_nothing_is_lost_stale_doubled_or_leaked(
    start_stack: Callable[..., Stack], project: Path, server: Server
) -> None:
    print(f"LOAD_REQUESTS={REQUESTS} LOAD_SEED={SEED}")
    stack = start_stack("--no-state", "--redis", server.url, root=project)
    user, progress = sign_up(stack.url), Progress()
    clients = [LoadClient(user, progress, number, SEED) for number in range(CLIENTS)]
    killer = Killer(stack, server, progress)
    aws: dict[str, Any] = {"endpoint_url": stack.wait_for(r"AWS\s+(http://\S+)")[1]}
    sqs, dynamodb = boto3.client("sqs", **aws), boto3.client("dynamodb", **aws)

    def created() -> set[str]:
        return {title for client in clients for title in client.created}

    def is_delivered() -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        waiting = sqs.get_queue_attributes(QueueUrl=_QUEUE, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return notified(stack).keys() >= created() and not any(map(int, waiting.values()))

    def load(requests: int, kill: Callable[[], None]) -> dict[str, Counter[str]]:
        """Send this many requests and check their results; returns the stack's resource usage."""
        progress.aim(requests)
        run_all([*(client.run for client in clients), kill])
        run_all(client.check_all for client in clients)
        await_condition(is_delivered)
        await_condition(lambda: has_no_zombies(stack))
        return usage(stack)

    before = load(_WARM_UP, killer.kill_functions)
    after = load(REQUESTS, killer.kill_all)
    found = [each for each in problems(dynamodb, "TasksTable", StatusShards(), rate=10**6) if each]
    stack.stop()
    print(
        progress.requests, dict(progress.seen), len(created()), dict(deaths(stack)), before, after, sep="\n"
    )
    assert found == []
    assert progress.seen["cache hit"]

    assert notified(stack).keys() == created()
    # A function killed after it sent, and before it recorded that, sends again; no sender can prevent it.
    assert notified(stack).total() - len(created()) <= deaths(stack)["SendNotificationFunction"]
    of_clients = {name: n for name, n in deaths(stack).items() if re.fullmatch(r"\w+Tasks?Function", name)}
    assert progress.seen["no response"] == sum(of_clients.values()), of_clients
    # The message of a killed function is refused until that function would have timed out.
    assert not [line for line in stack.lines if "Traceback" in line and "SendNotification" not in line]

    assert before.keys() == after.keys()
    for name, now in after.items():
        assert now["files"] <= before[name]["files"] + _SLACK, name
        assert now["threads"] <= before[name]["threads"] + _SLACK, name
        assert now["memory"] <= before[name]["memory"] + 16_000_000 + 4_000 * REQUESTS, name
