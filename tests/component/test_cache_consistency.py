"""Whatever readers, writers and a failing cache do at once: a list read after a write shows that write."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from shared.documents import to_json

from local.backends.redis_server import FAKE
from shared.cache import bypass, pages
from shared.cache.bypass import Bypass
from shared.cache.pages import PageCache
from shared.cache.redis import RedisError
from shared.tasks.document import task_document
from shared.tasks.listing import TaskListing
from shared.tasks.pages import TaskPages
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.table import CACHE_BYPASS
from shared.tasks.task import TaskStatus
from tests.aws import aws_with_resources
from tests.redis_servers import PROGRAMS, Server, serve
from tests.tasks import changing, new_task

statuses = st.sampled_from(TaskStatus)
queries = st.sampled_from(
    [TaskQuery(limit=20), TaskQuery(limit=1), TaskQuery(limit=20, statuses=(TaskStatus.PENDING,))]
)
WRITES = ["create", "rename", "change", "delete"]
FAULTS = ["cut", "mute", "pause", "fill", "mend", "evict", "lose", "save", "restore", "repair"]


def any_of(*kinds: str) -> st.SearchStrategy[tuple[str, int, TaskStatus]]:
    """What happens, by name, with a number to choose the task and a status."""
    return st.tuples(st.sampled_from(kinds), st.integers(0, 5), statuses)


happenings = any_of(*WRITES * 3, "wait", "wait", *FAULTS)
faults = st.lists(any_of(*FAULTS), max_size=2)
WRITERS, READER = "writers", "reader"


class Connections:
    """What becomes of commands on their way to the server, and of their replies."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.process = "first"
        self.cut_off: set[str] = set()
        self.is_mute = self.is_full = self.is_paused = False
        self._late: list[tuple[str, ...]] = []
        self._saved: list[tuple[str, str, int]] = []

    def open(self, whose: str, bypass: Bypass) -> PageCache:
        cache = PageCache("tasks", f"{self.server.url}?timeout=5", bypass=bypass)
        redis = cache._redis
        assert redis is not None
        call = redis._call

        def send(commands: Sequence[tuple[str, ...]], *, can_repeat: bool) -> Any:
            if self.is_paused:
                self._late += commands
            if self.is_paused or whose in self.cut_off:
                raise RedisError("no reply")
            if self.is_full and any("SET" in command for command in commands):
                raise RedisError("out of memory")
            replies = call(commands, can_repeat=can_repeat)
            redis.server = self.process
            if self.is_mute:
                raise RedisError("the reply was lost")
            return replies

        redis._call = send  # type: ignore[method-assign]
        return cache

    def mend(self, number: int) -> None:
        """Let everything through; a server that was paused executes what came meanwhile, in some order."""
        self.cut_off.clear()
        self.is_mute = self.is_full = self.is_paused = False
        random.Random(number).shuffle(self._late)  # noqa: S311 (a history that can be repeated)
        for command in self._late:
            self.server.client.execute_command(*command)
        self._late = []

    def save(self) -> None:
        client = self.server.client
        self._saved = [(key, str(client.get(key)), client.pttl(key)) for key in client.scan_iter()]

    def restore(self) -> None:
        """Another process takes over, with what was saved: a restart from a snapshot, or a failover."""
        self.process += "'"
        self.server.lose_memory()
        for key, text, left in self._saved:
            if left > 0:
                self.server.client.set(key, text, px=left)


class Machine(RuleBasedStateMachine):
    """Two writers and a reader, each with its own connection, and a server that fails in many ways."""

    server: Server
    clock: list[float]

    @initialize()
    def start(self) -> None:
        self.aws = ExitStack()
        self.aws.enter_context(aws_with_resources())
        client: Any = boto3.client("dynamodb")
        self.server.settle()
        self.connections = Connections(self.server)
        self.numbers = itertools.count()
        caches = [
            self.connections.open(whose, Bypass("TasksTable", CACHE_BYPASS, client))
            for whose in (WRITERS, WRITERS, READER, WRITERS)
        ]
        self.writers = [TaskStore(cache.invalidate, client=client) for cache in caches[:2]]
        self.listing = TaskListing(client)
        self.reader = TaskPages(self.listing, caches[2])
        self.stream = caches[3]
        self.ids: list[str] = []

    def happen(self, what: str, number: int, status: TaskStatus) -> None:
        writer = self.writers[number % 2]
        if what == "create":
            task = writer.create(new_task(f"Task {next(self.numbers)}", status=status)).task
            self.ids.append(task.id)
        elif what in FAULTS:
            self.fail(what, number)
        elif what == "wait":
            self.wait([0.5, 1.5, 2.5, 5.1, 7.1, 61][number])
        elif self.ids and what in {"rename", "change", "delete"}:
            task_id = self.ids[number % len(self.ids)]
            if what == "delete":
                writer.delete(task_id)
                self.ids.remove(task_id)
            else:
                title = {"title": f"Task {next(self.numbers)}"}
                writer.update(task_id, changing(**title if what == "rename" else {"status": status}))

    def wait(self, seconds: float) -> None:
        self.clock[0] += seconds
        self.server.advance(seconds)

    def fail(self, what: str, number: int) -> None:
        connections = self.connections
        if what == "cut":
            connections.cut_off |= [{WRITERS}, {READER}, {WRITERS, READER}][number % 3]
        elif what == "mute":
            connections.is_mute = True
        elif what == "pause":
            connections.is_paused = True
        elif what == "fill":
            connections.is_full = True
        elif what == "mend":
            connections.mend(number)
        elif what == "evict":
            for key in sorted(self.server.client.scan_iter())[number::6]:
                self.server.client.delete(key)
        elif what == "lose":
            self.server.lose_memory()
        elif what == "save":
            connections.save()
        elif what == "restore":
            connections.restore()
        else:
            self.stream.repair()

    @rule(happening=happenings)
    def something_happens(self, happening: tuple[str, int, TaskStatus]) -> None:
        self.happen(*happening)

    @rule(query=queries, before=st.lists(happenings, max_size=2), after=st.lists(happenings, max_size=2))
    def a_slow_reader(self, query: TaskQuery, before: list[Any], after: list[Any]) -> None:
        """Things happen between its look-up and its reading of the table, and before it stores the page."""
        read = self.listing.page

        def read_slowly(query: TaskQuery) -> Any:
            for happening in before:
                self.happen(*happening)
            page = read(query)
            for happening in after:
                self.happen(*happening)
            return page

        self.listing.page = read_slowly  # type: ignore[method-assign]
        try:
            self.reader.render(query)
        finally:
            self.listing.page = read  # type: ignore[method-assign]

    @rule(query=queries)
    def a_list_shows_every_write(self, query: TaskQuery) -> None:
        listed = self.reader.render(query)
        page = self.listing.page(query)
        assert listed.body == to_json([task_document(task) for task in page.tasks])
        assert listed.next == page.next

    @rule(query=queries, before=faults, write=any_of(*WRITES), after=faults)
    def a_list_shows_a_write_among_faults(
        self, query: TaskQuery, before: list[Any], write: Any, after: list[Any]
    ) -> None:
        """Each begins with a cache that is well, which long histories seldom have."""
        self.connections.mend(0)
        self.stream.repair()
        self.wait(7.1)
        for happening in [*before, write, *after]:
            self.reader.render(query)
            self.happen(*happening)
        self.a_list_shows_every_write(query)

    @invariant()
    def everything_expires(self) -> None:
        for key in self.server.client.scan_iter():
            assert (
                self.server.client.ttl(key) != -1
            )  # which is "for ever"; -2 is a key that has expired since

    def teardown(self) -> None:
        if hasattr(self, "aws"):
            self.aws.close()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_list_after_a_write_shows_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    for server in serve(program):

        def sleep(seconds: float, server: Server = server) -> None:
            clock[0] += seconds
            server.advance(seconds)

        now = staticmethod(lambda: clock[0])
        fake = type("Clock", (), {"time": now, "monotonic": now, "sleep": staticmethod(sleep)})
        for module in (pages, bypass):
            monkeypatch.setattr(module, "time", fake)
        machine = type("CacheMachine", (Machine,), {"server": server, "clock": clock})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=15 if program == FAKE else 40,  # the slow one and the fast one
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
