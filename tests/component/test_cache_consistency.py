"""How stale a page can be, while readers, writers, the stream and a failing cache interleave.

A page was read after the last successful invalidation, by a writer or by the stream. For two seconds it may
lack that write, because the index lags. If an invalidation failed, or a failover lost it, a page may lack the
write for a minute at most.
"""

from __future__ import annotations

import math
import random
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.cache import pages
from shared.cache.pages import PageCache
from shared.cache.redis import RedisConnection, RedisError
from tests.nightly import often
from tests.redis_servers import PROGRAMS, Server, serve
from tools.local.backends.redis_server import FAKE

LAG = 1.0
"""Seconds that the index lags behind its table."""
YOUNG, MINUTE = 2.1, 60.1  # both with tolerance for rounding
WAITS = [0.1, 0.7, 1.5, 2.5, 5.1, 61.0]
FAULTS = ["cut", "mute", "pause", "fill", "repair", "evict", "lose", "save", "restore"]
READER, WRITER, STREAM = "reader", "writer", "stream"
Event = tuple[str, int]
"""What happens, and a number that selects a variant of it."""


def any_of(*kinds: str) -> st.SearchStrategy[Event]:
    return st.tuples(st.sampled_from(kinds), st.integers(0, 5))


events = any_of(*["write", "read", "wait", "stream"] * 3, *FAULTS)
few = st.lists(events, max_size=3)


class Clock:
    """Replaces the module `time`: real time, plus the sleeps that were skipped."""

    def __init__(self, server: Server) -> None:
        self._server, self._ahead = server, 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += seconds
        self._server.advance(seconds)


class Network:
    """Delivers commands to the server and replies to the caches, and fails on request."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.cut_off: set[str] = set()
        self.is_mute = self.is_full = self.is_paused = False
        self.stored: dict[str, float] = {}
        """When the server stored each page."""
        self.connection = RedisConnection(f"{server.url}?timeout=5")
        self._clock = clock
        self._late: list[tuple[str, ...]] = []

    def cache(self, whose: str) -> PageCache:
        connection = SimpleNamespace(
            call=lambda *command: self._send(whose, command)[0],
            pipeline=lambda *commands: self._send(whose, *commands),
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "RedisConnection", lambda _: connection)
            return PageCache("tasks", "redis://", retry_after=1)

    def _send(self, whose: str, *commands: tuple[str, ...]) -> list[Any]:
        if whose in self.cut_off:
            raise RedisError("no reply")
        if self.is_paused:
            self._late += commands
            raise RedisError("no reply")
        if self.is_full and any("SET" in command for command in commands):
            raise RedisError("out of memory")
        replies = self._execute(*commands)
        if self.is_mute:
            raise RedisError("the reply was lost")
        return replies

    def _execute(self, *commands: tuple[str, ...]) -> list[Any]:
        replies = self.connection.pipeline(*commands)
        for name, *arguments in commands:
            if name == "SET" and "\n" in arguments[1]:
                self.stored[arguments[1].partition("\n")[2]] = self._clock.monotonic()
        return replies

    def repair(self, number: int) -> None:
        """End all faults. A paused server executes the commands that it received meanwhile, in some order."""
        self.cut_off.clear()
        self.is_mute = self.is_full = self.is_paused = False
        random.Random(number).shuffle(self._late)  # noqa: S311 (a history that can be repeated)
        while self._late:
            self._execute(self._late.pop())


class Machine(RuleBasedStateMachine):
    """Readers, a writer and the stream, each with its own connection, and a server that fails."""

    server: Server
    clock: Clock

    @initialize()
    def start(self) -> None:
        self.server.settle()
        self.network = Network(self.server, self.clock)
        self.readers = [self.network.cache(READER) for _ in range(2)]
        self.writer, self.stream = self.network.cache(WRITER), self.network.cache(STREAM)
        self.writes: list[float] = []
        self.invalidated_at = self.invalidated_before_snapshot = -math.inf
        self.snapshot: list[tuple[str, str, float]] = []

    def happen(self, what: str, number: int) -> None:
        if what == "write":
            self.writes.append(self.clock.monotonic())
            self.invalidate(self.writer)
        elif what == "read":
            self.read(number)
        elif what == "wait":
            self.clock.sleep(WAITS[number])
        elif what == "stream":
            self.invalidate(self.stream)
        else:
            self.fail(what, number)

    def invalidate(self, cache: PageCache) -> None:
        now = self.clock.monotonic()
        if cache.invalidate():
            self.invalidated_at = now

    def read(self, number: int, before: list[Event] = [], after: list[Event] = []) -> None:  # noqa: B006
        """List one of two queries, with events before the table is read and before the page is stored."""
        reader, query, now = self.readers[number % 2], f"q{number // 3}", self.clock.monotonic()
        found = reader.look_up(query)
        if found.page is not None:
            self.check(found.page, now)
            return
        for event in before:
            self.happen(*event)
        now = self.clock.monotonic()
        shown = sum(committed <= now - LAG for committed in self.writes)
        for event in after:
            self.happen(*event)
        reader.store(query, f"{shown} {now}", found)

    def check(self, page: str, now: float) -> None:
        shown, read = page.split()
        age = now - self.network.stored[page]
        assert float(read) >= self.invalidated_at
        assert age <= MINUTE
        lacking = self.writes[int(shown) :]
        if lacking and lacking[0] <= self.invalidated_at:
            assert age <= YOUNG

    def fail(self, what: str, number: int) -> None:
        network, client = self.network, self.server.client
        if what == "cut":
            network.cut_off |= [{WRITER}, {READER}, {WRITER, STREAM}][number % 3]
        elif what in {"mute", "pause", "fill"}:
            setattr(network, {"mute": "is_mute", "pause": "is_paused", "fill": "is_full"}[what], True)
        elif what == "repair":
            network.repair(number)
        elif what == "evict":
            for key in sorted(client.scan_iter())[number::6]:
                client.delete(key)
        elif what == "lose":
            self.server.lose_memory()
        elif what == "save":
            now = self.clock.monotonic()
            self.snapshot = [
                (key, client.get(key), now + client.pttl(key) / 1000) for key in client.scan_iter()
            ]
            self.invalidated_before_snapshot = self.invalidated_at
        else:  # a restart from the snapshot, or a failover that lost what came after it
            self.server.lose_memory()
            for key, text, end in self.snapshot:
                if (left := end - self.clock.monotonic()) > 0.001:
                    client.set(key, text, px=int(left * 1000))
            self.invalidated_at = self.invalidated_before_snapshot

    @rule(event=events)
    def something_happens(self, event: Event) -> None:
        self.happen(*event)

    @rule(number=st.integers(0, 5), before=few, after=few)
    def a_slow_reader(self, number: int, before: list[Event], after: list[Event]) -> None:
        self.read(number, before, after)

    @rule(faults=st.lists(any_of(*FAULTS, "stream"), max_size=3), number=st.integers(0, 5))
    def a_write_among_faults(self, faults: list[Event], number: int) -> None:
        """Begins with a healthy cache, which is rare in long sequences of faults."""
        self.network.repair(0)
        self.clock.sleep(2.5)
        for event in [*faults, ("write", 0), ("repair", number), ("wait", 2)]:
            self.read(number)
            self.happen(*event)
        self.read(number)

    @rule(number=st.integers(0, 5))
    def the_stream_succeeds_at_last(self, number: int) -> None:
        self.network.repair(number)
        assert self.stream.invalidate()
        self.invalidated_at = self.clock.monotonic()
        self.clock.sleep(LAG)
        for _ in range(2):
            self.read(number)

    @invariant()
    def everything_expires(self) -> None:
        for key in self.server.client.scan_iter():
            assert self.server.client.ttl(key) != -1  # -1: never expires; -2: expired meanwhile

    def teardown(self) -> None:
        self.network.connection.close()


@pytest.mark.parametrize("program", PROGRAMS)
def test_pages_are_no_staler_than_promised(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for server in serve(program):
        clock = Clock(server)
        monkeypatch.setattr(pages, "time", clock)
        machine = type("CacheMachine", (Machine,), {"server": server, "clock": clock})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=often(10, 60) if program == FAKE else often(60, 600),  # FAKE is slow
                stateful_step_count=12,
                suppress_health_check=list(HealthCheck),
            ),
        )
