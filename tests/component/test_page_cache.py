"""The page cache, against fakeredis and a real server: what it serves and refuses, and how it fails.

test_cache_consistency proves how stale pages can be, whatever fails meanwhile.
"""

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
from tests.redis_servers import REAL, Server, serve
from tests.servers import make_certificate
from tools.local.backends.redis_server import FAKE, free_port

on_one_server = pytest.mark.parametrize("shared_server", [FAKE], indirect=True)
"""Marks tests of the client, for which one server is enough."""


def patient(url: str, **options: Any) -> PageCache:
    """A cache with a long timeout, because the machine may be busy."""
    return PageCache("tasks", f"{url}{'&' if '?' in url else '?'}timeout=5", **options)


@pytest.fixture
def cache(server: Server) -> PageCache:
    return patient(server.url)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.url)
    yield proxy
    proxy.close()


def fill(cache: PageCache, query: str = "q", page: str = "page") -> None:
    cache.store(query, page, cache.look_up(query))


def test_a_stored_page_is_found(cache: PageCache) -> None:
    fill(cache, page="first line\nsecond line ✓ \0 %d")
    assert cache.look_up("q").page == "first line\nsecond line ✓ \0 %d"
    assert cache.look_up("another").page is None


def test_stacks_that_share_a_server_share_nothing(cache: PageCache, server: Server) -> None:
    other = patient(server.url, stack="another")
    fill(cache)
    assert other.look_up("q").page is None
    fill(other, page="another's")
    cache.invalidate()
    assert cache.look_up("q").page is None
    assert other.look_up("q").page == "another's"


@pytest.mark.parametrize(
    ("age", "seconds"), [(0, 2), (2.1, 60)], ids=["read soon after a write", "read long after"]
)
def test_the_ttl_is_two_seconds_soon_after_a_write_and_a_minute_otherwise(
    cache: PageCache, server: Server, age: float, seconds: float
) -> None:
    cache.invalidate()
    cache.look_up("another")  # sets the generation
    server.advance(age)
    fill(cache)
    server.advance(0.75 * seconds)
    assert cache.look_up("q").page == "page"
    server.advance(0.3 * seconds)
    assert server.client.keys() == ["stack:{tasks}:generation"]


def test_a_generation_set_by_another_reader_stays(
    cache: PageCache, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.invalidate()
    other, pipeline = patient(server.url), RedisConnection.pipeline

    def begin_after_another(*arguments: Any) -> list[Any]:
        monkeypatch.undo()
        fill(other)
        return pipeline(*arguments)

    monkeypatch.setattr(RedisConnection, "pipeline", begin_after_another)
    assert cache.look_up("q").page == "page"


@on_one_server
def test_a_generation_is_set_once_although_its_reply_was_lost(
    server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may have deleted it meanwhile. Set again, it would make older pages valid."""
    cache = patient(proxy.url)
    cache.invalidate()

    def choose_a_generation_whose_reply_is_lost(_bytes: int) -> str:
        proxy.network = Network.LOSES_ONE_ANSWER
        return "new"

    monkeypatch.setattr("secrets.token_hex", choose_a_generation_whose_reply_is_lost)
    assert cache.look_up("q") == LookUp()
    assert server.client.get("stack:{tasks}:generation") == "new"


class TestReadersWhoMissTheSamePage:
    """One of them reads the table; the others wait for its page."""

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Set what happens during each wait; returns the length of the waits, in seconds."""

        def meanwhile(*happen: Callable[[], object]) -> list[float]:
            waits: list[float] = []
            ahead = iter(happen)

            def sleep(seconds: float) -> None:
                waits.append(seconds)
                next(ahead, lambda: None)()

            clock = {"monotonic": staticmethod(lambda: sum(waits)), "sleep": staticmethod(sleep)}
            monkeypatch.setattr(pages, "time", type("Clock", (), clock))
            return waits

        return meanwhile

    def test_wait_until_it_is_stored(self, cache: PageCache, server: Server, meanwhile: Any) -> None:
        first = cache.look_up("q")
        waits = meanwhile(lambda: None, lambda: cache.store("q", "page", first))
        assert patient(server.url).look_up("another").page is None
        assert not waits
        assert patient(server.url).look_up("q").page == "page"
        assert len(waits) == 2

    @pytest.mark.parametrize("end", ["the first reader has died", "a write makes its page invalid"])
    def test_wait_for_another_reader_when(
        self, cache: PageCache, server: Server, meanwhile: Any, end: str
    ) -> None:
        cache.look_up("q")
        waits = meanwhile(cache.invalidate if "write" in end else lambda: server.advance(0.6))
        second = cache.look_up("q")
        assert second.page is None
        assert len(waits) == 1
        waits = meanwhile(lambda: cache.store("q", "page", second))
        assert cache.look_up("q").page == "page"
        assert len(waits) == 1

    @on_one_server
    def test_wait_for_a_second_at_most(self, cache: PageCache, server: Server, meanwhile: Any) -> None:
        first = cache.look_up("q")
        again = lambda: server.client.set(f"stack:{{tasks}}:lease:{first.generation}:q", "", px=500)  # noqa: E731
        waits = meanwhile(*[again] * 1000)
        assert cache.look_up("q") == first
        assert 1 <= sum(waits) < 1.1

    @on_one_server
    def test_wait_no_longer_when_the_cache_fails(
        self, cache: PageCache, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache.look_up("q")

        def fail(*_: Any) -> None:
            raise RedisError

        waits = meanwhile(lambda: monkeypatch.setattr(RedisConnection, "call", fail))
        assert cache.look_up("q") == LookUp()
        assert len(waits) == 1

    @pytest.mark.parametrize("seconds", [0.1, 0.5], ids=["a fast table", "a table slower than a lease"])
    def test_read_it_only_a_few_times_from_an_empty_server(self, server: Server, seconds: float) -> None:
        server.lose_memory()
        begin = threading.Barrier(20)

        def read(_: int) -> str | None:
            """The cached page, or None if the table was read."""
            cache = patient(server.url)
            begin.wait()
            found = cache.look_up("q")
            if found.page is None:
                time.sleep(seconds)
                cache.store("q", "page", found)
            return found.page

        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(read, range(20)))
        assert set(found) == {None, "page"}
        assert found.count(None) <= 4


class FakeNetwork:
    """Connections to a server that sends `reply` after `delay`; `now` is their clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delay = 0.0
        self.reply = b"+PONG\r\n"
        self.is_reachable = True
        self.connections = 0
        self.sent = 0

    def connect(self, address: object, timeout: float) -> socket.socket:
        if not self.is_reachable:
            self.now += timeout
            raise TimeoutError(address)
        self.connections += 1
        network = self

        class Connection(socket.socket):
            def settimeout(self, seconds: float | None) -> None:
                self.seconds = seconds or 0

            def sendall(self, *_: Any) -> None:
                network.sent += 1

            def recv(self, *_: Any) -> bytes:
                network.now += min(self.seconds, network.delay)
                if self.seconds < network.delay:
                    raise TimeoutError
                return network.reply if network.now < 10 else b""

        return Connection()


class TestADeadline:
    """The deadline of a call holds, however the server delays it."""

    @pytest.fixture
    def network(self, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
        network = FakeNetwork()
        monkeypatch.setattr("time.monotonic", lambda: network.now)
        monkeypatch.setattr("socket.create_connection", network.connect)
        return network

    @pytest.mark.parametrize(("delay", "reply"), [(0.03, b"$"), (1, b"")], ids=["trickles", "is silent"])
    @pytest.mark.parametrize(("idle", "tries"), [(0, 1), (2, 2)], ids=["in use", "idle"])
    def test_holds_for_all_tries_together_when_the_server(
        self, network: FakeNetwork, delay: float, reply: bytes, idle: float, tries: int
    ) -> None:
        connection = RedisConnection("redis://127.0.0.1")
        connection.call("PING")
        network.now, network.delay, network.reply, network.sent = idle, delay, reply, 0
        with pytest.raises(RedisError, match="TimeoutError"):
            connection.call("PING")
        assert network.now == pytest.approx(idle + TIMEOUT)
        assert network.sent == tries

    def test_holds_for_all_addresses_together(
        self, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{n}", 1)) for n in range(9)]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: addresses)
        network.is_reachable = False
        with pytest.raises(RedisError, match="TimeoutError"):
            RedisConnection("redis://cache").call("PING")
        assert network.now == pytest.approx(TIMEOUT)

    def test_is_not_shortened_for_a_slow_server_on_a_connection_in_use(self, network: FakeNetwork) -> None:
        network.delay = 0.7 * TIMEOUT
        connection = RedisConnection("redis://127.0.0.1")
        assert [connection.call("PING") for _ in range(5)] == ["PONG"] * 5
        assert network.connections == 1


class TestFailingServers:
    @pytest.mark.parametrize("scheme", ["redis", "rediss"])
    def test_a_silent_server_is_tried_once_by_readers_and_always_by_writers(
        self, scheme: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.setblocking(False)

            def tries() -> int:
                """Count the connections since the last count."""
                count = 0
                with suppress(BlockingIOError):
                    while True:
                        silent.accept()[0].close()
                        count += 1
                return count

            cache = PageCache("tasks", f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
            assert cache.look_up("q") == LookUp()
            cache.store("q", "page", LookUp(None, "generation"))
            now += pages.RETRY_AFTER - 0.1
            assert cache.look_up("q") == LookUp()
            assert tries() == 1
            assert not cache.invalidate()
            assert tries() == 1
            now += pages.RETRY_AFTER + 0.1
            assert cache.look_up("q") == LookUp()
            assert tries() == 1

    @on_one_server
    def test_an_idle_connection_that_was_dropped_silently_is_opened_again(
        self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proxies drop connections while Lambda freezes an execution environment."""
        monkeypatch.setattr("shared.cache.redis.IDLE", -1)
        cache = PageCache("tasks", f"{proxy.url}?timeout=1")
        fill(cache)
        proxy.drop()
        assert cache.look_up("q").page == "page"
        proxy.drop()
        assert cache.invalidate()

    def test_a_failing_server_is_counted_once_as_a_metric(self, capsys: pytest.CaptureFixture[str]) -> None:
        cache = PageCache("tasks", f"redis://127.0.0.1:{free_port()}")
        assert not cache.invalidate()
        assert cache.look_up("q") == LookUp()
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        assert [metric["CacheFailure"] for metric in metrics] == [[1.0]]

    def test_a_restart_without_calls_meanwhile_goes_unnoticed(self) -> None:
        for server in serve(FAKE):
            cache = patient(server.url)
            assert cache.invalidate()
            server.kill()
            server.bring_back()
            assert cache.invalidate()

    @needs_redis
    def test_a_wrong_password_raises_nothing(self) -> None:
        for server in serve(REAL):
            server.client.config_set("requirepass", "secret")
            assert PageCache("tasks", server.url).look_up("q") == LookUp()
            address = server.url.removeprefix("redis://")
            assert patient(f"redis://:wrong@{address}").look_up("q") == LookUp()
            assert patient(f"redis://:secret@{address}").invalidate()
            server.client = redis.Redis.from_url(f"redis://:secret@{address}")

    @needs_redis
    def test_a_full_server_stores_nothing_and_still_invalidates(self) -> None:
        for server in serve(REAL):
            server.settle()
            cache = patient(server.url, retry_after=0)
            fill(cache)
            server.client.config_set("maxmemory", 1)
            assert cache.look_up("q").page == "page"
            fill(cache, "another")
            assert cache.look_up("another").page is None
            assert cache.invalidate()
            assert cache.look_up("q").page is None
            server.lose_memory()
            fill(cache)
            assert cache.look_up("q").page is None
            assert cache.invalidate()

    def test_a_value_that_is_not_text_raises_nothing(self, cache: PageCache, server: Server) -> None:
        server.client.set("stack:{tasks}:page:q", b"\xff")
        assert cache.look_up("q") == LookUp()


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


def test_without_a_url_nothing_is_cached() -> None:
    cache = PageCache("tasks", "")
    assert cache.look_up("q") == LookUp()
    assert cache.invalidate()


@contextmanager
def running(url: str, *options: str, folder: Path) -> Iterator[redis.Redis]:
    """Run a real server with options; the block begins once it answers at `url`."""
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
def test_a_connection_speaks_tls_and_checks_the_certificate(tmp_path: Path) -> None:
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
