"""Throttling of password guesses: strangers slow each other, never a device that its owner has used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from shared.errors import BadCredentials, TooManyAttempts, WrongPassword
from shared.users import passwords
from shared.users.attempts import OF_DEVICE, OF_SESSION, OF_STRANGERS
from shared.users.attempts import Counter as Counter_
from shared.users.sessions import Session
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Device, Identity, User
from tests.aws import empty_tables
from tests.nightly import often

PASSWORD = "correct horse"
HOUR, DAY = 3600, 86_400


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        for module in ("attempts", "sessions", "store"):
            monkeypatch.setattr(f"shared.users.{module}.time", self)

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing would take most of the time, and is not tested here."""
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "verify", lambda password, hash_: (hash_ == f"hash of {password}", None))
    monkeypatch.setattr(passwords, "verify_nobodys", lambda _password: None)


@pytest.fixture
def users(dynamodb: Any, clock: Clock) -> UserStore:
    store = UserStore(UsersTable(dynamodb))
    store.create("ada", PASSWORD)
    return store


def device_of(signed_in: tuple[User, Session, Any]) -> Device:
    user, session, _ = signed_in
    return Device(session.id, user.id, user.generation)


def identity_of(signed_in: tuple[User, Session, Any]) -> Identity:
    user, session, _ = signed_in
    return Identity(user.username, user.generation, session.id)


def outcome(users: UserStore, name: str, password: str, device: Device | None = None) -> str:
    try:
        users.sign_in(name, password, device)
    except BadCredentials:
        return "refused"
    except TooManyAttempts:
        return "slowed"
    return "signed in"


def guess(users: UserStore, times: int, name: str = "ada", device: Device | None = None) -> Counter[str]:
    return Counter(outcome(users, name, f"guess {number}", device) for number in range(times))


class TestStrangers:
    @pytest.mark.parametrize("name", ["ada", "nobody"])
    def test_guesses_are_slowed_alike_for_unknown_users(self, users: UserStore, name: str) -> None:
        assert guess(users, 25, name) == {"refused": OF_STRANGERS.burst, "slowed": 25 - OF_STRANGERS.burst}
        assert outcome(users, name.upper(), "guess") == "slowed"

    def test_a_throttled_response_does_not_reveal_the_right_password(
        self, users: UserStore, clock: Clock
    ) -> None:
        guess(users, 25)
        assert outcome(users, "ada", PASSWORD) == "slowed"
        clock.now += OF_STRANGERS.interval
        assert outcome(users, "ada", PASSWORD) == "signed in"

    def test_retry_after_is_the_time_until_the_next_attempt(self, users: UserStore, clock: Clock) -> None:
        guess(users, OF_STRANGERS.burst)
        clock.now += 18.5
        with pytest.raises(TooManyAttempts) as raised:
            users.sign_in("ada", "guess")
        clock.now += raised.value.retry_after - 1
        assert outcome(users, "ada", "guess") == "slowed"
        clock.now += 1
        assert guess(users, 2) == {"refused": 1, "slowed": 1}

    def test_attempts_are_forgotten_with_time(self, users: UserStore, clock: Clock) -> None:
        guess(users, 25)
        clock.now += OF_STRANGERS.burst * OF_STRANGERS.interval
        assert guess(users, 25)["refused"] == OF_STRANGERS.burst

    def test_sign_ins_of_the_owner_let_no_more_guesses_through(self, users: UserStore, clock: Clock) -> None:
        """Strangers guess for hours, while the owner signs in from new devices."""
        hours, outcomes, owner = often(1, 24), Counter[str](), Counter[str]()
        for minute in range(hours * 60):
            for second in (0, 20, 40):
                clock.now = 1_800_000_000 + 60 * minute + second
                owner[outcome(users, "ada", PASSWORD)] += 1
                outcomes += guess(users, 3)
        assert outcomes["refused"] <= OF_STRANGERS.burst + 60 * hours
        assert sum(limit.burst + DAY / limit.interval for limit in (OF_STRANGERS, OF_DEVICE)) < 2_000

    def test_signing_in_often_slows_nobody(self, users: UserStore) -> None:
        assert {outcome(users, "ada", PASSWORD) for _ in range(3 * OF_STRANGERS.burst)} == {"signed in"}

    def test_a_success_takes_back_only_its_own_attempt(self, users: UserStore) -> None:
        guess(users, OF_STRANGERS.burst - 1)
        assert outcome(users, "ada", PASSWORD) == "signed in"
        assert guess(users, 2) == {"refused": 1, "slowed": 1}


class TestDevices:
    def test_strangers_never_slow_a_known_device(self, users: UserStore, clock: Clock) -> None:
        device = device_of(users.sign_in("ada", PASSWORD))
        for _ in range(4):
            guess(users, 25)
            assert outcome(users, "ada", PASSWORD) == "slowed"
            assert outcome(users, "ada", PASSWORD, device) == "signed in"
            clock.now += HOUR

    def test_guesses_on_a_device_slow_only_that_device(self, users: UserStore) -> None:
        device, other = (device_of(users.sign_in("ada", PASSWORD)) for _ in range(2))
        assert guess(users, 15, device=device) == {"refused": OF_DEVICE.burst, "slowed": 15 - OF_DEVICE.burst}
        assert outcome(users, "ada", PASSWORD, other) == "signed in"
        assert outcome(users, "ada", PASSWORD) == "signed in"

    def test_a_device_is_known_only_to_its_user(self, users: UserStore) -> None:
        users.create("bob", PASSWORD)
        device = device_of(users.sign_in("bob", PASSWORD))
        guess(users, 25)
        assert outcome(users, "ada", PASSWORD, device) == "slowed"

    def test_a_new_password_makes_all_devices_unknown(self, users: UserStore) -> None:
        """Otherwise somebody who once knew the password could collect devices, to guess the next one."""
        signed_in = users.sign_in("ada", PASSWORD)
        users.change_password(identity_of(signed_in), PASSWORD, "another horse")
        guess(users, 25)
        assert outcome(users, "ada", "another horse", device_of(signed_in)) == "slowed"


class TestSessions:
    def change(self, users: UserStore, identity: Identity, current: str) -> str:
        try:
            users.change_password(identity, current, "another horse")
        except WrongPassword:
            return "refused"
        except TooManyAttempts:
            return "slowed"
        return "changed"

    def test_a_stolen_token_neither_guesses_the_password_nor_blocks_its_change(
        self, users: UserStore, clock: Clock
    ) -> None:
        stolen = identity_of(users.sign_in("ada", PASSWORD))
        outcomes = Counter[str]()
        for _ in range(4 * 17):
            outcomes[self.change(users, stolen, "guess")] += 1
            clock.now += HOUR / 17
        assert outcomes["refused"] <= OF_SESSION.burst + 4 * HOUR / OF_SESSION.interval
        assert outcomes["slowed"] > 0
        assert self.change(users, identity_of(users.sign_in("ada", PASSWORD)), PASSWORD) == "changed"

    def test_a_right_password_does_not_count_as_a_guess(self, users: UserStore) -> None:
        mine, password = identity_of(users.sign_in("ada", PASSWORD)), PASSWORD
        for number in range(2 * OF_SESSION.burst):
            users.change_password(mine, password, f"horse {number}")
            password = f"horse {number}"


@pytest.fixture
def shared_users(local_aws: str, clock: Clock) -> UserStore:
    """On the emulator, because moto's transactions are neither atomic nor idempotent."""
    client = boto3.client("dynamodb", endpoint_url=local_aws)
    empty_tables(client)
    store = UserStore(UsersTable(client))
    store.create("ada", PASSWORD)
    return store


def test_concurrent_guesses_are_all_counted(shared_users: UserStore) -> None:
    with ThreadPoolExecutor(10) as threads:
        outcomes = Counter(threads.map(lambda n: outcome(shared_users, "ada", f"guess {n}"), range(40)))
    assert outcomes["refused"] <= OF_STRANGERS.burst
    assert outcomes.keys() <= {"refused", "slowed"}


def test_concurrent_sign_ins_slow_nobody(shared_users: UserStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = Counter(threads.map(lambda _: outcome(shared_users, "ada", PASSWORD), range(80)))
    assert outcomes["signed in"] > 40  # concurrent counts may conflict: some have to try again
    assert outcome(shared_users, "ada", PASSWORD) == "signed in"
    assert guess(shared_users, 25)["refused"] == OF_STRANGERS.burst


def test_a_retry_after_a_lost_response_counts_once(shared_users: UserStore) -> None:
    client: Any = shared_users._table.client
    write = client.transact_write_items

    def twice(**request: Any) -> Any:
        write(**request)
        return write(**request)

    client.transact_write_items = twice
    assert outcome(shared_users, "ada", PASSWORD) == "signed in"
    assert guess(shared_users, 25)["refused"] == OF_STRANGERS.burst


@pytest.mark.parametrize("is_known", [True, False])
def test_a_sign_in_takes_three_round_trips_and_six_write_units(users: UserStore, is_known: bool) -> None:
    device = device_of(users.sign_in("ada", PASSWORD)) if is_known else None
    client: Any = users._table.client
    calls: list[tuple[str, int]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.name, 2 * len(json.loads(params["body"]).get("TransactItems", []))))

    client.meta.events.register("before-call.dynamodb", record)
    try:
        assert outcome(users, "ada", PASSWORD, device) == "signed in"
    finally:
        client.meta.events.unregister("before-call.dynamodb", record)
    assert [name for name, _ in calls] == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]
    assert sum(units for _, units in calls) == 6


def test_a_username_equal_to_a_counters_key_is_refused_like_any_other(users: UserStore) -> None:
    device = device_of(users.sign_in("ada", PASSWORD))
    assert outcome(users, Counter_.of_device(device.id).key, "guess", device) == "refused"


def test_nobody_signs_in_as_a_counter(users: UserStore, dynamodb: Any) -> None:
    outcome(users, "zz", "guess")
    keys = [item["username"]["S"] for item in dynamodb.scan(TableName="UsersTable")["Items"]]
    (counter,) = (key for key in keys if key.startswith("attempts#"))
    assert outcome(users, counter, "guess") == "refused"


def test_a_password_in_the_username_field_is_not_stored(users: UserStore, dynamodb: Any) -> None:
    guess(users, 2, name="my secret password")
    assert "secret" not in json.dumps(dynamodb.scan(TableName="UsersTable")["Items"])


def test_a_429_says_when_to_try_again(invoke: Callable[..., dict[str, Any]]) -> None:
    invoke("create_user")
    for _ in range(OF_STRANGERS.burst):
        invoke("login", body="username=ada&password=wrong+horse")
    right, wrong = invoke("login"), invoke("login", body="username=ada&password=wrong+horse")
    for answer in (right, wrong):
        assert answer["statusCode"] == 429
        assert 0 < int(answer["multiValueHeaders"]["Retry-After"][0]) <= OF_STRANGERS.interval
        assert json.loads(answer["body"])["error"] == "temporarily_unavailable"
