"""Whatever readers, writers and a failing cache do at once: a list read after a write shows that write."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.cache import pages
from shared.cache.pages import PageCache
from shared.cache.redis import RedisError
from shared.documents import to_json
from shared.tasks.document import task_document
from shared.tasks.listing import TaskListing
from shared.tasks.pages import TaskPages
from shared.tasks.store import TaskStore
from shared.tasks.task import TaskQuery, TaskStatus
from tests.aws import aws_with_resources
from tests.drafts import Draft, changing
from tests.redis_servers import PROGRAMS, Server, serve

statuses = st.sampled_from(TaskStatus)
queries = st.sampled_from(
    [TaskQuery(limit=20), TaskQuery(limit=1), TaskQuery(limit=20, statuses=(TaskStatus.PENDING,))]
)
kinds = ["create", "rename", "change", "delete"] * 3 + ["wait", "wait", "lose", "cut", "mend"]
# What happens, by name, with a number to choose the task and a status.
happenings = st.tuples(st.sampled_from(kinds), st.integers(0, 5), statuses)


class Machine(RuleBasedStateMachine):
    """Two writers and a reader, each with its own connection, and a server that fails and returns empty."""

    server: Server
    clock: list[float]

    @initialize()
    def start(self) -> None:
        self.aws = ExitStack()
        self.aws.enter_context(aws_with_resources())
        client: Any = boto3.client("dynamodb")
        self.server.settle()
        self.cut_off = False
        self.numbers = itertools.count()
        self.writers = [TaskStore(self.cache().invalidate, client=client) for _ in range(2)]
        self.listing = TaskListing(client)
        self.reader = TaskPages(self.listing, self.cache())
        self.ids: list[str] = []

    def cache(self) -> PageCache:
        cache = PageCache("tasks", f"{self.server.url}?timeout=5")
        assert cache._redis is not None
        call = cache._redis._call

        def call_unless_cut_off(commands: Any) -> Any:
            if self.cut_off:
                raise RedisError("cut off")
            return call(commands)

        cache._redis._call = call_unless_cut_off  # type: ignore[method-assign]
        return cache

    def happen(self, what: str, number: int, status: TaskStatus) -> None:
        writer = self.writers[number % 2]
        if what == "create":
            draft = Draft(f"Task {next(self.numbers)}", status=status)
            task = writer.create(draft, created_by="ada").task
            self.ids.append(task.id)
        elif what == "lose":
            self.server.lose_memory()
        elif what == "cut":
            self.cut_off = True
        elif what == "mend" and self.cut_off:  # it was down, and has forgotten everything
            self.server.lose_memory()
            self.cut_off = False
        elif what == "wait":
            seconds = [0.5, 1.5, 2.5, 5.1, 7.1, 61][number]
            self.clock[0] += seconds
            self.server.advance(seconds)
        elif self.ids and what in {"rename", "change", "delete"}:
            task_id = self.ids[number % len(self.ids)]
            if what == "delete":
                writer.delete(task_id)
                self.ids.remove(task_id)
            else:
                title = {"title": f"Task {next(self.numbers)}"}
                writer.update(task_id, changing(**title if what == "rename" else {"status": status}))

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

    @invariant()
    def everything_but_the_generation_expires(self) -> None:
        for key in self.server.client.scan_iter():
            # -1 is "for ever"; -2 is a key that has expired since.
            assert key == "{tasks}:generation" or self.server.client.ttl(key) != -1

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

        fake = {"monotonic": staticmethod(lambda: clock[0]), "sleep": staticmethod(sleep)}
        monkeypatch.setattr(pages, "time", type("Clock", (), fake))
        machine = type("CacheMachine", (Machine,), {"server": server, "clock": clock})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
