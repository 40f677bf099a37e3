"""A cache that a write could not invalidate: readers bypass it until it is repaired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from shared.cache import bypass
from shared.cache.bypass import INTERVAL, Bypass
from shared.cache.pages import _GENERATION_TTL, LookUp, PageCache
from shared.deadline import deadline_of
from shared.errors import Unavailable
from shared.tasks.table import CACHE_BYPASS
from tests.handlers import LambdaContext
from tests.local_stack import await_condition
from tests.optional import needs_redis
from tests.proxy import Network, Proxy
from tests.redis_servers import REAL, Server, serve

NOBODY = "redis://127.0.0.1:1"


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - 5

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bypass, "time", clock)
    return clock


@pytest.fixture
def reads(dynamodb: Any) -> list[str]:
    """The calls of DynamoDB, from here on."""
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    return calls


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def item(dynamodb: Any) -> Bypass:
    return Bypass("TasksTable", CACHE_BYPASS, dynamodb)


@contextmanager
def time_left(seconds: float) -> Iterator[None]:
    class Context(LambdaContext):
        def get_remaining_time_in_millis(self) -> int:
            return int(seconds * 1000)

    with deadline_of(Context()):  # type: ignore[arg-type]
        yield


def test_a_reader_looks_once_in_an_interval(dynamodb: Any, clock: Clock, reads: list[str]) -> None:
    reader = item(dynamodb)
    for _ in range(3):
        assert not reader.is_on()
        clock.now += INTERVAL / 3.01
    assert reads == ["GetItem"]
    clock.now += INTERVAL
    assert not reader.is_on()
    clock.now -= 3600  # somebody set the clock
    assert not reader.is_on()
    assert reads == ["GetItem"] * 3


def test_a_reader_looks_again_when_either_clock_says_so(
    dynamodb: Any, clock: Clock, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = item(dynamodb)
    for seconds in (0.0, 0.4):  # somebody set the clock back meanwhile
        monkeypatch.setattr(clock, "monotonic", lambda seconds=seconds: 10 + 2 * seconds)
        assert not reader.is_on()
    assert reads == ["GetItem"] * 2


def test_who_cannot_look_bypasses_the_cache(
    dynamodb: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = item(dynamodb)
    monkeypatch.setattr(dynamodb, "get_item", Mock(side_effect=[Unavailable(), {}]))
    assert reader.is_on()
    assert not reader.is_on()


def test_it_ends_when_no_page_from_before_can_be_left(dynamodb: Any, clock: Clock) -> None:
    item(dynamodb).turn_on()
    clock.now += _GENERATION_TTL / 1000
    assert item(dynamodb).is_on()
    clock.now += _GENERATION_TTL / 1000
    assert not item(dynamodb).is_on()
    clock.slept.clear()
    item(dynamodb).turn_on()
    assert clock.slept == [INTERVAL]
    assert item(dynamodb).is_on()


def test_when_it_is_on_every_reader_knows(dynamodb: Any, clock: Clock) -> None:
    readers = [item(dynamodb), item(dynamodb)]
    assert not readers[0].is_on()
    item(dynamodb).turn_on()
    assert [reader.is_on() for reader in readers] == [True, True]


def test_only_the_first_writes_wait_for_readers(dynamodb: Any, clock: Clock) -> None:
    """A second one may come while the first one's call is still on its way."""
    for seconds in (0, 0.1, 20, 20, 20):
        clock.now += seconds
        item(dynamodb).turn_on()
    assert clock.slept == [INTERVAL] * 3


def test_it_is_turned_off_by_who_knows_its_last_token(dynamodb: Any, clock: Clock) -> None:
    switch = item(dynamodb)
    switch.turn_on()
    first = switch.token()
    switch.turn_on()
    second = switch.token()
    assert first
    assert second
    switch.turn_off(first)
    assert switch.token() == second
    switch.turn_off(second)
    switch.turn_off(second)
    assert switch.token() is None


def test_who_has_no_time_to_wait_says_so(dynamodb: Any, clock: Clock) -> None:
    with time_left(0.6), pytest.raises(Unavailable):
        item(dynamodb).turn_on()


class TestACache:
    @pytest.fixture
    def reader(self, dynamodb: Any, server: Server) -> PageCache:
        """It has stored a page, and trusts the cache."""
        reader = self.cache(server.url, dynamodb)
        reader.store("q", "page", reader.look_up("q"))
        assert reader.look_up("q").page == "page"
        return reader

    @staticmethod
    def cache(url: str, dynamodb: Any) -> PageCache:
        return PageCache("tasks", f"{url}?timeout=5", bypass=item(dynamodb))

    def test_that_a_writer_cannot_reach_is_bypassed_until_it_is_repaired(
        self, reader: PageCache, dynamodb: Any, server: Server, clock: Clock
    ) -> None:
        assert not self.cache(NOBODY, dynamodb).invalidate()
        assert reader.look_up("q") == LookUp()
        assert not self.cache(NOBODY, dynamodb).repair()
        clock.now += INTERVAL
        assert reader.look_up("q") == LookUp()
        assert self.cache(server.url, dynamodb).repair()
        clock.now += INTERVAL
        found = reader.look_up("q")
        assert found.page is None
        assert found.generation

    def test_that_is_repaired_while_another_writer_fails_stays_bypassed(
        self, reader: PageCache, dynamodb: Any, server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repairing = self.cache(server.url, dynamodb)
        end = repairing._end_generation

        def fail_meanwhile() -> bool:
            done = end()
            self.cache(NOBODY, dynamodb).invalidate()
            return done

        monkeypatch.setattr(repairing, "_end_generation", fail_meanwhile)
        self.cache(NOBODY, dynamodb).invalidate()
        assert repairing.repair()
        assert reader.look_up("q") == LookUp()

    def test_that_returns_with_what_it_had_serves_none_of_it(
        self, reader: PageCache, dynamodb: Any, server: Server
    ) -> None:
        """It restarted from a snapshot, or another took over: either may have missed that a write came."""
        saved = {key: server.client.get(key) for key in server.client.scan_iter()}
        server.kill()
        server.bring_back()
        for key, text in saved.items():
            server.client.set(key, str(text), px=60_000)
        assert reader.look_up("q").page is None
        assert self.cache(server.url, dynamodb).look_up("q").page is None

    def test_behind_an_endpoint_that_hides_several_processes_is_of_use(
        self, dynamodb: Any, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readers = [self.cache(server.url, dynamodb) for _ in range(3)]
        for number, reader in enumerate(readers):
            assert reader._redis is not None
            monkeypatch.setattr(type(reader._redis), "server", property(lambda each: str(id(each)), Mock()))
            reader.store("q", f"page {number}", reader.look_up("q"))
        for reader in readers:
            reader.look_up("q")
        readers[0].store("q", "page", readers[0].look_up("q"))
        assert [reader.look_up("q").page for reader in readers] == ["page"] * 3


@needs_redis
def test_a_server_that_takes_over_serves_nothing_that_it_missed_the_end_of(
    dynamodb: Any, resources: ExitStack
) -> None:
    first, second = (resources.enter_context(contextmanager(serve)(REAL)) for _ in range(2))
    replication, endpoint = Proxy(first.url), Proxy(first.url)
    for proxy in (replication, endpoint):
        resources.callback(proxy.close)
    first.client.config_set("repl-diskless-sync-delay", 0)
    second.client.config_set("repl-diskless-load", "swapdb")  # or it leaves a file here
    second.client.replicaof(*replication.url.removeprefix("redis://").split(":"))
    await_condition(lambda: second.client.info("replication")["master_link_status"] == "up")
    reader = PageCache("tasks", f"{endpoint.url}?timeout=5", retry_after=0)
    reader.store("q", "page", reader.look_up("q"))
    await_condition(lambda: bool(second.client.exists("{tasks}:page:q")))

    replication.network = Network.LOSES_ANSWERS
    assert reader.invalidate()
    first.kill()
    second.client.replicaof("NO", "ONE")
    endpoint.server = urlsplit(second.url).hostname, urlsplit(second.url).port
    assert second.client.exists("{tasks}:generation")
    assert reader.look_up("q").page is None
    reader.store("q", "new", reader.look_up("q"))
    assert reader.look_up("q").page == "new"
