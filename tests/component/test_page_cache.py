"""The cache of pages, against fakeredis and a real server: what it serves and refuses, and how it fails."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.cache import pages
from shared.cache.pages import LookUp, PageCache
from shared.cache.redis import TIMEOUT, RedisConnection, RedisError
from tests.local_stack import await_condition
from tests.optional import REDIS, needs_redis
from tests.proxy import Network, Proxy
from tests.redis_servers import REAL, Server, serve, watch_commands
from tests.servers import make_certificate
from tools.local.backends.redis_server import free_port


@pytest.fixture
def cache(server: Server) -> PageCache:
    return patient(server.url)


opened: list[PageCache] = []


def patient(url: str, **options: Any) -> PageCache:
    """A cache that bears with a busy machine."""
    cache = PageCache("tasks", f"{url}{'&' if '?' in url else '?'}timeout=5", **options)
    opened.append(cache)
    return cache


@pytest.fixture(autouse=True)
def _close_caches() -> Iterator[None]:
    yield
    while opened:
        cache = opened.pop()
        assert cache._redis is not None
        cache._redis.close()


def fill(cache: PageCache, query: str = "q", page: str = "page") -> None:
    cache.store(query, page, cache.look_up(query))


def test_a_stored_page_is_found(cache: PageCache) -> None:
    fill(cache, page="first line\nsecond line ✓ \0 %d")
    assert cache.look_up("q").page == "first line\nsecond line ✓ \0 %d"
    assert cache.look_up("another").page is None


def test_a_write_makes_it_forget(cache: PageCache) -> None:
    fill(cache)
    assert cache.invalidate()
    assert cache.look_up("q").page is None


def test_stacks_that_share_a_server_share_nothing(cache: PageCache, server: Server) -> None:
    other = patient(server.url, stack="another")
    fill(cache)
    assert other.look_up("q").page is None
    fill(other, page="another's")
    cache.invalidate()
    assert cache.look_up("q").page is None
    assert other.look_up("q").page == "another's"


def test_readers_of_version_1_0_see_a_write(cache: PageCache, server: Server) -> None:
    server.client.set("{tasks}:generation", "theirs", px=300_000)
    cache.invalidate()
    assert not server.client.exists("{tasks}:generation")


def test_a_page_from_before_a_write_is_not_stored_after_it(cache: PageCache) -> None:
    found = cache.look_up("q")
    cache.invalidate()
    cache.store("q", "stale", found)
    assert cache.look_up("q").page is None


def test_a_page_read_soon_after_a_write_lives_for_two_seconds(cache: PageCache, server: Server) -> None:
    cache.invalidate()
    fill(cache)
    server.advance(1.5)
    assert cache.look_up("q").page == "page"
    server.advance(0.6)
    assert cache.look_up("q").page is None


def test_a_page_read_soon_after_a_write_and_stored_late_lives_for_two_seconds(
    cache: PageCache, server: Server
) -> None:
    cache.invalidate()
    found = cache.look_up("q")
    server.advance(3)
    cache.store("q", "page", found)
    server.advance(2.1)
    assert cache.look_up("q").page is None


def test_any_other_page_lives_for_a_minute(cache: PageCache, server: Server) -> None:
    cache.invalidate()
    cache.look_up("q")
    server.advance(2.1)
    fill(cache)
    server.advance(55)
    assert cache.look_up("q").page == "page"
    server.advance(5.1)
    assert cache.look_up("q").page is None


def test_everything_but_the_generation_expires(cache: PageCache, server: Server) -> None:
    cache.invalidate()
    fill(cache)
    server.advance(61)
    assert server.client.keys() == ["stack:{tasks}:generation"]


class TestManyReaders:
    """Of those who miss the same page, one reads the table."""

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Say what happens while somebody waits; returns how long each wait was."""

        def meanwhile(*happen: Any) -> list[float]:
            waits: list[float] = []
            ahead = iter(happen)

            def sleep(seconds: float) -> None:
                waits.append(seconds)
                next(ahead, lambda: None)()

            clock = {"monotonic": staticmethod(lambda: sum(waits)), "sleep": staticmethod(sleep)}
            monkeypatch.setattr(pages, "time", type("Clock", (), clock))
            return waits

        return meanwhile

    def test_the_others_wait_for_its_page(self, cache: PageCache, server: Server, meanwhile: Any) -> None:
        first = cache.look_up("q")
        waits = meanwhile(lambda: None, lambda: cache.store("q", "page", first))
        assert patient(server.url).look_up("q").page == "page"
        assert len(waits) == 2

    def test_nobody_waits_for_another_page(self, cache: PageCache, meanwhile: Any) -> None:
        waits = meanwhile()
        cache.look_up("q")
        cache.look_up("another")
        assert not waits

    def test_one_takes_the_place_of_a_reader_that_died(
        self, cache: PageCache, server: Server, meanwhile: Any
    ) -> None:
        cache.look_up("q")
        waits = meanwhile(lambda: server.advance(0.6))
        second = cache.look_up("q")
        assert second.page is None
        assert len(waits) == 1
        waits = meanwhile(lambda: cache.store("q", "page", second))
        assert cache.look_up("q").page == "page"
        assert len(waits) == 1

    def test_nobody_waits_for_a_page_from_before_a_write(
        self, cache: PageCache, server: Server, meanwhile: Any
    ) -> None:
        cache.look_up("q")
        waits = meanwhile(cache.invalidate)
        second = cache.look_up("q")
        assert second.page is None
        assert len(waits) == 1
        cache.store("q", "page", second)
        assert cache.look_up("q").page == "page"

    def test_a_generation_that_another_has_just_set_stays(
        self, cache: PageCache, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert cache.invalidate()
        other, pipeline = patient(server.url), RedisConnection.pipeline

        def begin_after_another(*arguments: Any) -> list[Any]:
            monkeypatch.undo()
            fill(other)
            return pipeline(*arguments)

        monkeypatch.setattr(RedisConnection, "pipeline", begin_after_another)
        assert cache.look_up("q").page == "page"

    def test_waiting_has_an_end(self, cache: PageCache, server: Server, meanwhile: Any) -> None:
        first = cache.look_up("q")
        again = lambda: server.client.set(f"stack:{{tasks}}:lease:{first.generation}:q", "", px=500)  # noqa: E731
        waits = meanwhile(*[again] * 1000)
        assert cache.look_up("q") == first
        assert 1 <= sum(waits) < 1.1

    def test_one_whose_cache_fails_waits_no_longer(
        self, cache: PageCache, server: Server, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache.look_up("q")

        def fail(*_: Any) -> None:
            raise RedisError

        waits = meanwhile(lambda: monkeypatch.setattr(cache._redis, "call", fail))
        assert cache.look_up("q") == LookUp()
        assert len(waits) == 1


class TestABurst:
    """Readers who come at once, each with a connection of its own, and a table that takes its time."""

    READERS = 20
    FEW = 4

    def read_at_once(self, url: str, seconds: float) -> list[str | None]:
        """What each found in the cache; None for who read the table."""
        begin = threading.Barrier(self.READERS)

        def read() -> str | None:
            cache = patient(url)
            begin.wait()
            found = cache.look_up("q")
            if found.page is None:
                time.sleep(seconds)
                cache.store("q", "page", found)
            return found.page

        with ThreadPoolExecutor(self.READERS) as threads:
            return [each.result() for each in [threads.submit(read) for _ in range(self.READERS)]]

    @pytest.mark.parametrize("seconds", [0.02, 0.5], ids=["fast", "slower than a lease"])
    def test_is_few_readings_of_the_table(self, server: Server, seconds: float) -> None:
        pages = self.read_at_once(server.url, seconds)
        assert set(pages) == {None, "page"}
        assert pages.count(None) <= self.FEW

    def test_whose_first_reader_died_is_few_readings(self, cache: PageCache, server: Server) -> None:
        cache.look_up("q")
        assert self.read_at_once(server.url, 0.02).count(None) <= self.FEW

    def test_at_a_server_that_is_empty_is_few_readings(self, server: Server) -> None:
        server.lose_memory()
        for _ in range(2):
            assert self.read_at_once(server.url, 0.1).count(None) <= self.FEW


class TestALostMemory:
    def test_a_reader_from_before_stores_nothing(self, cache: PageCache, server: Server) -> None:
        found = cache.look_up("q")
        server.lose_memory()
        cache.invalidate()
        server.advance(8)
        cache.store("q", "stale", found)
        assert cache.look_up("q").page is None

    @pytest.mark.parametrize("first", ["reader", "writer"])
    def test_pages_are_young_after_it(self, cache: PageCache, server: Server, first: str) -> None:
        """A writer may have written just before the loss, or could not tell of it."""
        fill(cache)
        server.lose_memory()
        if first == "writer":
            cache.invalidate()
        fill(cache, page="new")
        assert cache.look_up("q").page == "new"
        server.advance(2.1)
        assert cache.look_up("q").page is None


@needs_redis
class TestAFullServer:
    @pytest.fixture
    def full(self) -> Iterator[Server]:
        for server in serve(REAL):
            server.settle()
            yield server

    def test_forgets_what_it_has_and_takes_nothing(self, full: Server) -> None:
        cache = patient(full.url, retry_after=0)
        fill(cache)
        full.client.config_set("maxmemory", 1)
        assert cache.look_up("q").page == "page"
        fill(cache, "another")
        assert cache.look_up("another").page is None
        assert cache.invalidate()
        assert cache.look_up("q").page is None

    def test_that_lost_its_memory_is_no_error(self, full: Server) -> None:
        full.lose_memory()
        full.client.config_set("maxmemory", 1)
        cache = patient(full.url, retry_after=0)
        fill(cache)
        assert cache.look_up("q").page is None
        assert cache.invalidate()


class Silent:
    """A server that takes connections and says nothing."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.connections += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


class TestAServerThatFails:
    @pytest.mark.parametrize("scheme", ["redis", "rediss"])
    def test_that_is_silent_is_tried_once_by_readers_and_always_by_writers(
        self, silent: Silent, scheme: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        cache = PageCache("tasks", f"{scheme}://127.0.0.1:{silent.port}")
        assert cache.look_up("q") == LookUp()
        cache.store("q", "page", LookUp(None, "generation"))
        now += pages.RETRY_AFTER - 0.1
        assert cache.look_up("q") == LookUp()
        assert silent.connections == 1
        assert not cache.invalidate()
        assert silent.connections == 2
        now += pages.RETRY_AFTER + 0.1
        assert cache.look_up("q") == LookUp()
        assert silent.connections == 3

    def test_that_trickles_costs_no_more_than_the_whole_call_may(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = 0.0

        class Trickle(socket.socket):
            """A byte each 30 ms, of an answer that has more."""

            def recv(self, *_: Any) -> bytes:
                nonlocal clock
                clock += 0.03
                return b"$" if clock < 10 else b""

        monkeypatch.setattr("time.monotonic", lambda: clock)
        monkeypatch.setattr("socket.create_connection", lambda *_: Trickle())
        monkeypatch.setattr(Trickle, "sendall", lambda *_: None)
        with pytest.raises(RedisError, match="TimeoutError"):
            RedisConnection("redis://127.0.0.1").call("GET", "it")
        assert clock < TIMEOUT + 0.03

    def test_has_all_its_addresses_tried_within_that_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = 0.0

        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            nonlocal clock
            clock += timeout
            raise TimeoutError(address)

        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{n}", 1)) for n in range(9)]
        monkeypatch.setattr("time.monotonic", lambda: clock)
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: addresses)
        monkeypatch.setattr("socket.create_connection", connect)
        with pytest.raises(RedisError, match="TimeoutError"):
            RedisConnection("redis://cache").call("PING")
        assert clock == pytest.approx(TIMEOUT)

    def test_that_loses_replies_gets_no_generation_twice(self, server: Server) -> None:
        """A write may have ended it meanwhile, and then pages from before would be valid again."""
        proxy = Proxy(server.url)
        connection = RedisConnection(f"{proxy.url}?timeout=5")
        connection.call("PING")
        proxy.network = Network.LOSES_ONE_ANSWER
        with pytest.raises(RedisError):
            connection.pipeline(("INCR", "executed"))
        assert server.client.get("executed") == "1"
        connection.close()
        proxy.close()

    def test_whose_connection_was_dropped_silently_is_connected_anew(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As proxies do while Lambda freezes a function."""
        monkeypatch.setattr("shared.cache.redis.IDLE", -1)
        proxy = Proxy(server.url)
        cache = PageCache("tasks", f"{proxy.url}?timeout=1")
        for act in (lambda: fill(cache), lambda: cache.look_up("q"), cache.invalidate):
            act()
            proxy.drop()
        assert cache.invalidate()
        fill(cache)
        proxy.drop()
        assert cache.look_up("q").page == "page"
        proxy.close()

    def test_that_is_slow_has_all_of_the_time_on_a_connection_in_use(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock, connections = 0.0, []

        class Slow(socket.socket):
            def settimeout(self, seconds: float | None) -> None:
                self.seconds = seconds or 0

            def recv(self, *_: Any) -> bytes:
                nonlocal clock
                clock += min(self.seconds, 0.7 * TIMEOUT)
                if self.seconds < 0.7 * TIMEOUT:
                    raise TimeoutError
                return b"+PONG\r\n"

        def connect(*_: object) -> Slow:
            connections.append(Slow())
            return connections[-1]

        monkeypatch.setattr("time.monotonic", lambda: clock)
        monkeypatch.setattr("socket.create_connection", connect)
        monkeypatch.setattr(Slow, "sendall", lambda *_: None)
        connection = RedisConnection("redis://127.0.0.1")
        assert [connection.call("PING") for _ in range(5)] == ["PONG"] * 5
        assert len(connections) == 1

    @pytest.mark.parametrize("idle", [0, 2])
    def test_that_swallows_all_costs_no_more_than_one_call_may(
        self, monkeypatch: pytest.MonkeyPatch, idle: float
    ) -> None:
        clock, replies, sent = 0.0, [b"+PONG\r\n"], []

        class Swallowing(socket.socket):
            def settimeout(self, seconds: float | None) -> None:
                self.seconds = seconds or 0

            def sendall(self, *data: Any) -> None:
                sent.append(data)

            def recv(self, *_: Any) -> bytes:
                nonlocal clock
                if replies:
                    return replies.pop()
                clock += self.seconds
                raise TimeoutError

        monkeypatch.setattr("time.monotonic", lambda: clock)
        monkeypatch.setattr("socket.create_connection", lambda *_: Swallowing())
        connection = RedisConnection("redis://127.0.0.1")
        connection.call("PING")
        clock = idle
        with pytest.raises(RedisError, match="TimeoutError"):
            connection.call("PING")
        assert clock == pytest.approx(idle + TIMEOUT)
        assert len(sent) == (3 if idle else 2)

    def test_that_is_gone_shows_as_a_metric(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        cache = PageCache("tasks", f"redis://127.0.0.1:{port}")
        assert not cache.invalidate()
        assert cache.look_up("q") == LookUp()
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        assert [metric["CacheFailure"] for metric in metrics] == [[1.0]]

    @needs_redis
    def test_that_refuses_is_no_error(self) -> None:
        for server in serve(REAL):
            server.client.config_set("requirepass", "secret")
            assert PageCache("tasks", server.url).look_up("q") == LookUp()
            address = server.url.removeprefix("redis://")
            assert patient(f"redis://:wrong@{address}").look_up("q") == LookUp()
            assert patient(f"redis://:secret@{address}").invalidate()
            server.client = redis.Redis.from_url(f"redis://:secret@{address}")

    def test_and_came_back_while_the_function_was_frozen_goes_unnoticed(self) -> None:
        for server in serve("fakeredis"):
            cache = patient(server.url)
            assert cache.invalidate()
            server.kill()
            server.bring_back()
            assert cache.invalidate()

    def test_and_is_back_is_used_again(self) -> None:
        for server in serve("fakeredis"):
            cache = patient(server.url, retry_after=0)
            assert cache.invalidate()
            server.kill()
            assert not cache.invalidate()
            server.bring_back()
            assert cache.invalidate()


@pytest.mark.parametrize(
    "url",
    [
        "unix:///tmp/redis.sock",
        "http://:secret@h",
        "redis://:secret@h?db=3",
        "redis://:sec/ret@h",
        "redis://:secret@h:port",
        "redis://:secret@h?timeout=secret",
        "redis://[:secret@h",
        "h:6379",
    ],
)
def test_another_kind_of_url_is_refused_without_quoting_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="redis://") as raised:
        RedisConnection(url)
    assert "sec" not in "".join(traceback.format_exception(raised.value)[-1:])
    assert raised.value.__suppress_context__


def test_what_is_no_text_in_the_server_is_no_error(server: Server) -> None:
    server.client.set("stack:{tasks}:page:q", b"\xff")
    assert patient(server.url).look_up("q") == LookUp()


def test_without_a_cache_nothing_is_cached() -> None:
    cache = PageCache("tasks", "")
    assert cache.look_up("q") == LookUp()
    assert cache.invalidate()


def test_a_hit_takes_one_round_trip_and_a_miss_two(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    trips: list[str] = []
    watch_commands(monkeypatch, lambda: trips.append("redis"))
    cache = patient(server.url)

    def trips_of(act: Callable[[], object]) -> int:
        trips.clear()
        act()
        return len(trips)

    found = LookUp(None, cache.look_up("another").generation)
    assert trips_of(lambda: cache.look_up("q")) == 2  # what is there, and the lease
    assert trips_of(lambda: cache.store("q", "page", found)) == 1
    assert trips_of(lambda: cache.look_up("q")) == 1
    assert trips_of(cache.invalidate) == 1
    assert trips_of(lambda: cache.look_up("q")) == 4  # besides, a new generation, and another look


@contextmanager
def running(url: str, *options: str, folder: Path) -> Iterator[redis.Redis]:
    """A real server with options of its own, once it answers at `url`."""
    process = subprocess.Popen([REDIS.path, "--save", "", *options], cwd=folder, stdout=subprocess.DEVNULL)
    client = redis.Redis.from_url(url)

    def answers() -> bool:
        with suppress(redis.ConnectionError):
            return bool(client.ping())
        return False

    try:
        await_condition(answers)
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()


@needs_redis
def test_a_clustered_server_keeps_all_keys_together(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    with running(url, "--port", str(port), "--cluster-enabled", "yes", folder=tmp_path) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        await_condition(lambda: client.cluster("info")["cluster_state"] == "ok")
        cache = patient(url)
        fill(cache)
        assert cache.look_up("q").page == "page"
        assert cache.invalidate()


@needs_redis
def test_speaks_tls_and_checks_the_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    url = f"rediss://127.0.0.1:{port}"
    trusting = f"{url}?ssl_ca_certs={certificate}"
    options = (
        f"--port 0 --tls-port {port} --tls-auth-clients no --tls-cert-file {certificate}"
        f" --tls-key-file {key} --tls-ca-cert-file {certificate}"
    )
    with running(trusting, *options.split(), folder=tmp_path):
        assert patient(trusting).invalidate()
        assert not patient(url).invalidate()


def test_a_generation_is_set_once_though_its_reply_was_lost(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may have ended it meanwhile; set again, it would make pages from before valid."""
    proxy = Proxy(server.url)
    cache = patient(proxy.url)
    cache.invalidate()
    sent: list[str] = []

    def lose_the_second_reply() -> None:
        sent.append("commands")
        if len(sent) == 2:  # after the look-up, which found no generation
            proxy.network = Network.LOSES_ONE_ANSWER

    watch_commands(monkeypatch, lose_the_second_reply)
    assert cache.look_up("q") == LookUp()
    assert len(sent) == 2
    proxy.close()
