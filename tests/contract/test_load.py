"""Many clients at once, while functions and Redis are killed: nothing is lost, stale, doubled or leaked."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from migrations.check import problems
from shared.tasks.status_index import StatusShards
from tests.load import LoadClient, Progress
from tests.local_stack import Stack, await_condition, notified, processes_of, sign_up
from tests.redis_servers import Server

CLIENTS = 16
REQUESTS = int(os.environ.get("LOAD_REQUESTS", "1500"))
SEED = int(os.environ.get("LOAD_SEED", "1"))
_WARM_UP = 500
_QUEUE = "NotificationsQueue"


@pytest.fixture
def project(project: Path) -> Path:
    """A copy of the project where the messages of a function that was killed come back after seconds."""
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


def workers(stack: Stack) -> list[psutil.Process]:
    """The processes that functions run in."""
    children = psutil.Process(stack.process.pid).children()
    return [
        worker for each in children if "forkserver" in " ".join(each.cmdline()) for worker in each.children()
    ]


class Killer:
    """Kills functions and Redis, now and then by the number of requests, until these are over."""

    def __init__(self, stack: Stack, server: Server, progress: Progress) -> None:
        self._random = random.Random(f"{SEED} killer")  # noqa: S311 (moments that can be repeated)
        self._stack = stack
        self._server = server
        self._progress = progress

    def run(self) -> None:
        acts = [*[self.kill_worker] * 12, self.kill_redis, self.pause_redis]
        while self._wait(40):
            self._random.choice(acts)()

    def _wait(self, most: int) -> bool:
        return self._progress.wait_for(self._random.randint(1, most))

    def kill_worker(self) -> None:
        self._random.choice(workers(self._stack)).kill()
        self._progress.note("workers killed")

    def kill_redis(self) -> None:
        self._server.kill()
        self._progress.note("Redis killed")
        self._wait(60)
        self._server.bring_back()

    def pause_redis(self) -> None:
        self._server.pause()
        self._progress.note("Redis paused")
        self._wait(30)
        self._server.resume()


def run_all(acts: list[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(acts)) as threads:
        for each in [threads.submit(act) for act in acts]:
            each.result()


def usage(stack: Stack) -> dict[str, Counter[str]]:
    """What each process of the stack that lasts uses: memory in KB, file descriptors and threads."""
    used = {}
    running = [psutil.Process(stack.process.pid), *psutil.Process(stack.process.pid).children()]
    for process in running:
        assert process.status() != psutil.STATUS_ZOMBIE
        used[" ".join(process.cmdline())[:60] + f" {process.pid}"] = Counter(
            memory=process.memory_info().rss // 1024, files=process.num_fds(), threads=process.num_threads()
        )
    used["workers"] = Counter(count=len(workers(stack)))
    return used


def test_under_load_and_kills_nothing_is_lost_stale_doubled_or_leaked(
    start_stack: Callable[..., Stack], project: Path, server: Server
) -> None:
    stack = start_stack("--no-state", "--redis", server.url, root=project)
    user, progress = sign_up(stack.url), Progress()
    clients = [LoadClient(user, progress, number, SEED) for number in range(CLIENTS)]
    killer = Killer(stack, server, progress)
    aws: dict[str, Any] = {"endpoint_url": stack.wait_for(r"AWS\s+(http://\S+)")[1]}
    sqs, dynamodb = boto3.client("sqs", **aws), boto3.client("dynamodb", **aws)
    created: list[str] = []

    def is_delivered() -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        waiting = sqs.get_queue_attributes(QueueUrl=_QUEUE, AttributeNames=names)["Attributes"]
        return notified(stack).keys() >= set(created) and not any(map(int, waiting.values()))

    used = []
    for requests in (_WARM_UP, REQUESTS - _WARM_UP):
        progress.aim(requests)
        run_all([*(client.run for client in clients), killer.run])
        run_all([client.check_all for client in clients])
        created = [title for client in clients for title in client.created]
        await_condition(is_delivered)
        used.append(usage(stack))
    print(progress.requests, dict(progress.seen), len(created), *used, sep="\n")

    found = [each for each in problems(dynamodb, "TasksTable", StatusShards(), rate=10**6) if each]
    assert found == []
    stack.stop()
    deaths = Counter(
        line.split("│")[0].split()[-1]
        for line in stack.lines
        if "Runtime exited with error: signal: killed" in line
    )
    print(deaths)
    sent_again = sum(notified(stack).values()) - len(created)
    assert notified(stack).keys() == set(created)
    # Who dies between sending and remembering that sends it again.
    assert sent_again <= deaths["SendNotificationFunction"]
    without_answer = progress.seen["unknown outcomes"] + progress.seen["reads without an answer"]
    of_requests = sum(n for name, n in deaths.items() if name.endswith(("TaskFunction", "TasksFunction")))
    assert without_answer == of_requests
    # A message that is on its way in a function that died is refused until that would have timed out.
    assert not [line for line in stack.lines if "Traceback" in line and "SendNotification" not in line]
