"""Retries of AWS calls: they end before the deadline, and the error says whether a write was applied."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared import aws
from shared.deadline import deadline_of, remaining
from shared.errors import Contention, Unavailable
from shared.tasks.store import TaskStore
from shared.users.sessions import Sessions
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Identity, user_from_item
from tests.faults import (
    FAULTS,
    Faults,
    Send,
    broken,
    canceled_for_capacity,
    canceled_for_throttling,
    conflict,
    denied,
    lost,
    slow,
    throttled,
    unreachable,
)
from tests.handlers import LambdaContext
from tests.tasks import new_task

pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
def client(emulated_dynamodb: Any) -> Any:
    return aws.client("dynamodb")


@pytest.fixture
def faults(client: Any, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(client, monkeypatch)


@pytest.fixture
def store(client: Any) -> TaskStore:
    return TaskStore(lambda: None, client=client)


def create(store: TaskStore) -> Any:
    return store.create(new_task()).task


def items(client: Any) -> int:
    return len(client.scan(TableName="TasksTable")["Items"])


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", [*FAULTS, None])
def test_a_write_is_applied_once_whatever_happens_to_its_first_attempts(
    client: Any, store: TaskStore, faults: Faults, first: Any, second: Any
) -> None:
    faults.then(first, second, None)
    task = create(store)
    faults.then()
    assert store.get(task.id) == task
    assert items(client) == 2  # the task and its title


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (unreachable, Unavailable),
        (throttled, Unavailable),
        (canceled_for_throttling, Unavailable),
        (canceled_for_capacity, Unavailable),
        (conflict, Contention),
    ],
)
def test_a_write_that_was_not_applied_says_so(
    client: Any, store: TaskStore, faults: Faults, fault: Any, error: type[Exception]
) -> None:
    faults.then(fault)
    with pytest.raises(error):
        create(store)
    faults.then()
    assert items(client) == 0


@pytest.mark.parametrize("rest", [fault for fault in FAULTS if fault is not lost])
@pytest.mark.parametrize("first", [lost, broken])
def test_a_write_that_may_have_been_applied_is_not_reported_as_unchanged(
    store: TaskStore, faults: Faults, first: Any, rest: Any
) -> None:
    faults.then(first, rest)
    with pytest.raises((ReadTimeoutError, ClientError)):
        create(store)


def test_permanent_errors_are_not_retried(store: TaskStore, faults: Faults) -> None:
    faults.then(denied)
    with pytest.raises(ClientError):
        create(store)
    assert faults.sent == 1


class Clock:
    """A clock that a test moves; sleeping moves it, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        # Not `time.monotonic` and `time.sleep` themselves: other threads use them.
        for module in ("shared.aws", "shared.deadline", "botocore.endpoint"):
            monkeypatch.setattr(f"{module}.time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)  # after Faults, which replaces `time`, too


def taking(clock: Clock, seconds: float, fault: Any) -> Any:
    def take(send: Send, request: Any) -> Any:
        clock.now += seconds
        return fault(send, request)

    return take


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_ends_before_its_deadline(store: TaskStore, faults: Faults, clock: Clock, fault: Any) -> None:
    faults.then(taking(clock, 3, slow), taking(clock, 3, fault))
    with deadline_of(LambdaContext()), pytest.raises((ReadTimeoutError, ClientError)):
        create(store)
    assert clock.now - 1000 < 10
    assert faults.sent == 2


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.4, 0.8])
@pytest.mark.parametrize("last", [slow, conflict])
def test_a_write_ends_before_its_deadline_after_many_attempts(
    store: TaskStore, faults: Faults, clock: Clock, seconds: float, last: Any
) -> None:
    for number in range(1, 8):
        begun = clock.now
        faults.then(*[taking(clock, seconds, conflict)] * number, taking(clock, 3, last))
        with deadline_of(LambdaContext()), pytest.raises((ReadTimeoutError, Contention, Unavailable)):
            create(store)
        assert clock.now - begun < 10


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 5.4])
def test_a_single_write_whose_response_is_lost_is_not_reported_as_unchanged(
    client: Any, faults: Faults, clock: Clock, seconds: float
) -> None:
    for number in range(20):  # botocore's backoff is random
        faults.then(taking(clock, seconds, lost), taking(clock, 3, slow))
        begun = clock.now
        with deadline_of(LambdaContext()), pytest.raises(ReadTimeoutError):
            UserStore(UsersTable(client)).create(f"user{number}-{seconds}", "correct horse")
        assert clock.now - begun < 10


def test_no_call_starts_that_could_outlast_the_deadline(client: Any, faults: Faults, clock: Clock) -> None:
    with deadline_of(LambdaContext()):
        clock.now += 6
        for act in (
            lambda: create(TaskStore(lambda: None, client=client)),
            lambda: UserStore(UsersTable(client)).create("ada", "correct horse"),
            lambda: TaskStore(client=client).get("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"),
        ):
            with pytest.raises(Unavailable):
                act()
    assert faults.sent == 0


def test_reads_are_retried_before_the_deadline(client: Any, faults: Faults, clock: Clock) -> None:
    table = UsersTable(client)
    ada = UserStore(table).create("ada", "correct horse")
    check, identity = Sessions(table).check, Identity("ada", ada.generation, None)
    faults.then(taking(clock, 3, slow), None)
    with deadline_of(LambdaContext()):
        assert user_from_item(check(identity)) == ada
    faults.sent = 0
    faults.then(taking(clock, 6, slow), None)
    with deadline_of(LambdaContext()), pytest.raises(ReadTimeoutError):
        check(identity)
    assert faults.sent == 1


def test_a_deadline_ends_with_its_request(clock: Clock) -> None:
    with deadline_of(LambdaContext()):
        assert 9 < remaining() < 10
    clock.now += 100
    assert remaining() > 1000
