"""Redis servers for tests: fakeredis everywhere, and a real one where it is installed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.cache.redis import RedisConnection
from tests.optional import REDIS, needs_redis
from tools.local.backends.redis_server import FAKE, RedisServer

REAL = "real redis"
PROGRAMS = [FAKE, pytest.param(REAL, marks=needs_redis)]


class Server:
    """A Redis server that tests can inspect, kill and restart."""

    def __init__(self, program: str) -> None:
        self._server = RedisServer(Path(REDIS.path).name if program == REAL else program)
        self.url = self._server.url
        self.client = redis.Redis.from_url(self.url, decode_responses=True)

    def kill(self) -> None:
        """Stop the server; its data is lost."""
        self.client.close()
        self._server.stop()

    def bring_back(self) -> None:
        """Start the server again at the same address, empty."""
        self._server = RedisServer(self._server.program, self._server.port)

    def pause(self) -> None:
        """Suspend the server until `resume`; requests wait meanwhile."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._server.pid, signal.SIGCONT)

    def lose_memory(self) -> None:
        self.client.flushall()

    def advance(self, seconds: float) -> None:
        """Let every key with a TTL expire this many seconds earlier."""
        milliseconds = int(seconds * 1000)
        for name in self.client.scan_iter():
            left = self.client.pttl(name)
            if left >= 0:
                self.client.pexpire(name, max(0, left - milliseconds))

    def settle(self) -> None:
        """Delete everything but an old generation, as if the last write were long ago."""
        self.client.flushall()
        self.client.set("stack:{tasks}:generation", "settled", px=300_000)

    def stop(self) -> None:
        self.client.close()
        self._server.stop()


def best_program() -> str:
    """The program that `make run` would start."""
    return REAL if REDIS.find() else FAKE


def serve(program: str) -> Iterator[Server]:
    server = Server(program)
    yield server
    server.stop()


def watch_commands(monkeypatch: pytest.MonkeyPatch, seen: Callable[[], object]) -> None:
    """Call `seen` for each command sent to Redis from now on."""
    exchange = RedisConnection._exchange

    def watched(connection: RedisConnection, *arguments: Any) -> Any:
        seen()
        return exchange(connection, *arguments)

    monkeypatch.setattr(RedisConnection, "_exchange", watched)


@pytest.fixture(scope="module", params=PROGRAMS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from serve(request.param)


@pytest.fixture
def server(shared_server: Server) -> Server:
    """A Redis server without pages, whose last write is long ago."""
    shared_server.settle()
    return shared_server
