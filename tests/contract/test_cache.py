"""The cached list over HTTP, with Redis there and gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.local_stack import Client, Stack, await_condition, sign_up, unique
from tests.nightly import nightly, often
from tests.proxy import Network, Proxy
from tests.redis_servers import Server, best_program, serve

StartStack = Callable[..., Stack]
Failure = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    yield from serve(best_program())


@pytest.fixture(scope="module")
def proxy(redis: Server) -> Iterator[Proxy]:
    """What is between the stack's functions and Redis."""
    proxy = Proxy(redis.url)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def cached(proxy: Proxy) -> Iterator[Stack]:
    stack = Stack("--no-state", "--redis", proxy.url)
    yield stack
    stack.stop()


def test_hits_and_misses_show_in_the_answer_and_in_the_request_log(cached: Stack) -> None:
    user = sign_up(cached.url)
    task = user.create()
    await_condition(lambda: user("GET", "/tasks?limit=1").headers["X-Cache"] == "hit")
    assert user("GET", "/tasks?limit=1").json() == [task]
    assert cached.wait_for(r"200 .* GET +/tasks.limit=1 +ListTasksFunction cache miss")
    assert cached.wait_for(r"200 .* GET +/tasks.limit=1 +ListTasksFunction cache hit")
    assert user("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert task not in user("GET", "/tasks?limit=1").json()


def test_without_a_cache_the_list_comes_from_the_table(start_stack: StartStack) -> None:
    user = sign_up(start_stack("--no-state", "--parameter", "Cache=disabled").url)
    task = user.create()
    answer = user("GET", "/tasks")
    assert (answer.json(), answer.headers["X-Cache"]) == ([task], "off")


@pytest.fixture(params=["paused", "cut off"])
def failure(request: pytest.FixtureRequest, redis: Server, proxy: Proxy) -> Failure:
    """What makes Redis fail for a time."""

    @contextmanager
    def paused() -> Iterator[None]:
        redis.pause()
        yield
        redis.resume()

    @contextmanager
    def cut_off() -> Iterator[None]:
        proxy.network = Network.SWALLOWS
        yield
        proxy.network = Network.WELL

    return paused if request.param == "paused" else cut_off


@pytest.mark.parametrize(
    "is_read_meanwhile", [pytest.param(False, marks=nightly), True], ids=["unread", "read meanwhile"]
)
def test_the_stream_makes_up_for_redis_failing_around_a_write(
    cached: Stack, failure: Failure, is_read_meanwhile: bool
) -> None:
    user = sign_up(cached.url)
    path = f"/tasks/{user.create()['id']}"

    def read() -> str:
        (task,) = user("GET", "/tasks?limit=1").json()
        title: str = task["title"]
        return title

    for _ in range(often(1, 4)):
        await_condition(lambda: user("GET", "/tasks?limit=1").headers["X-Cache"] == "hit")
        title = unique("Failing")
        with failure():
            assert user("PATCH", path, json={"title": title}).status_code == 200
            if is_read_meanwhile:
                assert read() == title
        await_condition(lambda title=title: read() == title, timeout=30)  # half of a page's minute


def test_redis_killed_under_load_and_brought_back(start_stack: StartStack, server: Server) -> None:
    stack = start_stack("--no-state", "--redis", server.url)
    user = sign_up(stack.url)
    user.create()
    await_condition(lambda: user("GET", "/tasks").headers["X-Cache"] == "hit")

    def work(number: int) -> list[int]:
        client, statuses = Client(user.url, user.token), []
        for _ in range(12):
            created = client("POST", "/tasks", json={"title": unique(f"Load {number}")})
            listed = client("GET", "/tasks")
            changed = client("PATCH", f"/tasks/{created.json()['id']}", json={"status": "COMPLETED"})
            statuses += [created.status_code, listed.status_code, changed.status_code]
        return statuses

    with ThreadPoolExecutor(3) as threads:
        before = [threads.submit(work, number) for number in range(3)]
        server.kill()
        after = [threads.submit(work, number) for number in range(3)]
        for each in before:
            each.result()
        server.bring_back()
        statuses = [status for each in before + after for status in each.result()]
    assert set(statuses) == {200, 201}

    def is_cached_again() -> bool:
        task = user.create()
        seen = user("GET", "/tasks?limit=1")
        assert seen.json() == [task], "stale"
        return user("GET", "/tasks?limit=1").headers["X-Cache"] == "hit"

    await_condition(is_cached_again)
