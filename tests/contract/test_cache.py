"""The cached list over HTTP, with Redis and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local_stack import Client, Stack, await_condition, sign_up, unique
from tests.nightly import often
from tests.proxy import Network, Proxy
from tests.redis_servers import Server, best_program, serve


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    yield from serve(best_program())


@pytest.fixture(scope="module")
def proxy(redis: Server) -> Iterator[Proxy]:
    """A proxy between the stack's functions and Redis."""
    proxy = Proxy(redis.url)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def cached(proxy: Proxy) -> Iterator[Stack]:
    stack = Stack("--no-state", "--redis", proxy.url)
    yield stack
    stack.stop()


@pytest.fixture
def user(cached: Stack, proxy: Proxy) -> Client:
    """A user who has created a task; the list's first page is cached."""
    proxy.network = Network.WELL
    user = sign_up(cached.url)
    user.create()
    await_hit(user)
    return user


def await_hit(user: Client) -> None:
    await_condition(lambda: user("GET", "/tasks?limit=1").headers["X-Cache"] == "hit")


def test_hits_and_misses_show_in_the_response_and_the_request_log(cached: Stack, user: Client) -> None:
    task = user.create()
    await_hit(user)
    assert user("GET", "/tasks?limit=1").json() == [task]
    assert cached.wait_for(r"200 .* GET +/tasks.limit=1 +ListTasksFunction cache miss")
    assert cached.wait_for(r"200 .* GET +/tasks.limit=1 +ListTasksFunction cache hit")
    assert user("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert task not in user("GET", "/tasks?limit=1").json()


def test_without_a_cache_the_list_comes_from_the_table(start_stack: Callable[..., Stack]) -> None:
    user = sign_up(start_stack("--no-state", "--parameter", "Cache=disabled").url)
    task = user.create()
    response = user("GET", "/tasks")
    assert (response.json(), response.headers["X-Cache"]) == ([task], "off")


def test_the_stream_invalidates_the_cache_if_a_writer_could_not(
    cached: Stack, user: Client, proxy: Proxy, redis: Server
) -> None:
    task = user.create()
    await_hit(user)
    redis.advance(2.5)  # a page that is read this long after a write is valid for a minute
    await_hit(user)
    title = unique("Changed")
    proxy.network = Network.SWALLOWS
    changed = user("PATCH", f"/tasks/{task['id']}", json={"title": title})
    cached.wait_for(r"InvalidateTaskCacheFunction .*cache failed")
    proxy.network = Network.WELL
    assert changed.status_code == 200
    # Nobody read meanwhile, so no circuit breaker keeps readers from the old page.
    await_condition(lambda: user("GET", "/tasks?limit=1").json()[0]["title"] == title, timeout=30)


def test_killing_redis_under_load_fails_no_request_and_it_recovers(user: Client, redis: Server) -> None:
    def work(number: int) -> set[int]:
        client = Client(user.url, user.token)
        created = client("POST", "/tasks", json={"title": unique(f"Load {number}")})
        listed = client("GET", "/tasks")
        changed = client("PATCH", f"/tasks/{created.json()['id']}", json={"status": "COMPLETED"})
        return {created.status_code, listed.status_code, changed.status_code}

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work, number) for number in range(often(18, 72))]
        working[0].result()
        redis.kill()
        assert set.union(*(each.result() for each in working)) == {200, 201}
    redis.bring_back()
    task = user.create()
    assert user("GET", "/tasks?limit=1").json() == [task]
    await_hit(user)
