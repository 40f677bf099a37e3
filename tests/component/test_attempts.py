"""Guessing passwords: attempts are counted, and too many wait longer and longer, whoever they are of."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadCredentials, TooManyAttempts, WrongPassword
from shared.users import passwords
from shared.users.attempts import OF_ACCOUNT, OF_ACCOUNT_AND_ADDRESS, OF_ADDRESS
from shared.users.counters import Limit
from shared.users.store import UserStore
from tests.aws import empty_tables
from tests.handlers import event

HERE, THERE = "8.8.8.8", "9.9.9.9"
PASSWORD = "correct horse"


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        for module in ("attempts", "counters"):
            monkeypatch.setattr(f"shared.users.{module}.time", self)

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing takes most of the time, and is not what is tested here."""
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "verify", lambda password, hash_: (hash_ == f"hash of {password}", None))
    monkeypatch.setattr(passwords, "verify_nobodys", lambda _password: None)


@pytest.fixture
def users(dynamodb: Any, clock: Clock) -> UserStore:
    store = UserStore(dynamodb)
    store.create("ada", PASSWORD)
    return store


def outcome(users: UserStore, name: str, password: str, address: str | None = HERE) -> str:
    try:
        users.sign_in(name, password, address=address)
    except BadCredentials:
        return "refused"
    except TooManyAttempts:
        return "slowed"
    return "signed in"


def guess(users: UserStore, times: int, name: str = "ada", address: str | None = HERE) -> list[str]:
    return [outcome(users, name, f"guess {number}", address) for number in range(times)]


@pytest.mark.parametrize("name", ["ada", "nobody"])
@pytest.mark.parametrize("address", [HERE, "127.0.0.1", None])
def test_guesses_are_slowed_for_who_is_there_and_who_is_not(
    users: UserStore, name: str, address: str | None
) -> None:
    free = OF_ACCOUNT_AND_ADDRESS.free
    assert guess(users, 25, name, address) == ["refused"] * free + ["slowed"] * (25 - free)


def test_a_right_password_says_no_more_than_a_wrong_one_while_it_is_slowed(
    users: UserStore, clock: Clock
) -> None:
    guess(users, 10)
    assert outcome(users, "ada", PASSWORD) == "slowed"
    clock.now += 2
    assert outcome(users, "ada", PASSWORD) == "signed in"
    assert guess(users, 3) == ["refused"] * 3  # it counts anew


def test_each_wait_is_twice_the_one_before(users: UserStore, clock: Clock) -> None:
    waits = []
    for number in itertools.count():
        try:
            users.sign_in("ada", f"guess {number}", address=HERE)
        except BadCredentials:
            continue
        except TooManyAttempts as error:
            waits.append(error.retry_after)
            clock.now += error.retry_after
        if len(waits) == 12:
            break
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert waits[-1] == OF_ACCOUNT_AND_ADDRESS.longest


def test_guesses_at_once_are_counted_one_by_one(local_aws: str, clock: Clock) -> None:
    """Not on moto, whose transactions are no longer atomic where threads run at once."""
    client = boto3.client("dynamodb", endpoint_url=local_aws)
    empty_tables(client)
    users = UserStore(client)
    with ThreadPoolExecutor(10) as threads:
        outcomes = list(threads.map(lambda n: outcome(users, "ada", f"guess {n}"), range(25)))
    assert outcomes.count("refused") <= OF_ACCOUNT_AND_ADDRESS.free
    assert set(outcomes) <= {"refused", "slowed"}


def test_who_guesses_elsewhere_does_not_lock_out_who_is_known_here(users: UserStore, clock: Clock) -> None:
    assert outcome(users, "ada", PASSWORD, HERE) == "signed in"
    for number in range(OF_ACCOUNT.free + 5):
        outcome(users, "ada", "guess", f"9.9.9.{number}")
    assert outcome(users, "ada", PASSWORD, THERE) == "slowed"
    assert outcome(users, "ada", PASSWORD, HERE) == "signed in"
    # Elsewhere the wait is short.
    clock.now += OF_ACCOUNT.longest
    assert outcome(users, "ada", PASSWORD, THERE) == "signed in"


def test_an_address_that_guesses_many_names_is_slowed(users: UserStore) -> None:
    outcomes = [outcome(users, f"user{number}", "guess") for number in range(OF_ADDRESS.free + 3)]
    assert outcomes[-3:] == ["slowed"] * 3
    assert outcome(users, "ada", PASSWORD, HERE) == "slowed"
    assert outcome(users, "ada", PASSWORD, THERE) == "signed in"


def test_signing_in_oneself_does_not_free_an_address_to_guess_on(users: UserStore) -> None:
    outcomes = []
    for number in range(OF_ADDRESS.free + 3):
        outcomes.append(outcome(users, f"user{number}", "guess"))
        outcome(users, "ada", PASSWORD)
    assert outcomes[-3:] == ["slowed"] * 3


def test_addresses_of_one_network_are_one(users: UserStore) -> None:
    network = [f"2001:4860:4860::{number:x}" for number in range(1, 30)]
    outcomes = [outcome(users, "ada", "guess", address) for address in network]
    assert outcomes.count("refused") == OF_ACCOUNT_AND_ADDRESS.free


def test_signing_in_often_slows_nobody(users: UserStore) -> None:
    for _ in range(OF_ADDRESS.free + 10):
        assert outcome(users, "ada", PASSWORD) == "signed in"


def test_signing_in_at_once_slows_nobody(local_aws: str, clock: Clock) -> None:
    client = boto3.client("dynamodb", endpoint_url=local_aws)
    empty_tables(client)
    users = UserStore(client)
    names = [f"user{number}" for number in range(8)]
    for name in names:
        users.create(name, PASSWORD)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda n: outcome(users, names[n % 8], PASSWORD), range(240)))
    # Where several count at the same moment, one may have to try again in a second; no wait grows.
    assert outcomes.count("signed in") > 120
    clock.now += 1
    assert {outcome(users, name, PASSWORD) for name in names} == {"signed in"}


@pytest.mark.parametrize("kind", ["account", "account and address", "address"])
def test_a_counter_is_nobody_who_could_sign_in(users: UserStore, dynamodb: Any, kind: str) -> None:
    outcome(users, "zz", "guess")
    keys = [item["username"]["S"] for item in dynamodb.scan(TableName="UsersTable")["Items"]]
    (counter,) = (key for key in keys if key.startswith(f"{kind}#"))
    assert outcome(users, counter, "guess") == "refused"


def test_a_known_address_is_not_slowed_by_who_guesses_other_names_there(users: UserStore) -> None:
    assert outcome(users, "ada", PASSWORD) == "signed in"
    for number in range(OF_ADDRESS.free + 3):
        outcome(users, f"user{number}", "guess")
    assert outcome(users, "user0", "guess") == "slowed"
    assert outcome(users, "ada", PASSWORD) == "signed in"


def test_attempts_of_more_than_an_hour_ago_do_not_count(users: UserStore, clock: Clock) -> None:
    for number in range(OF_ADDRESS.free - 1):
        outcome(users, f"user{number}", "guess")
        clock.now += 60
    assert outcome(users, "another", "guess") == "refused"
    assert outcome(users, "another", "guess") == "refused"


def test_old_attempts_are_forgotten(users: UserStore, clock: Clock) -> None:
    guess(users, OF_ACCOUNT_AND_ADDRESS.free)
    clock.now += 2 * 60 * 60
    assert guess(users, OF_ACCOUNT_AND_ADDRESS.free) == ["refused"] * OF_ACCOUNT_AND_ADDRESS.free


def test_who_is_signed_in_cannot_guess_the_password_either(users: UserStore, clock: Clock) -> None:
    ada = users.sign_in("ada", PASSWORD)

    def change(current: str) -> None:
        users.change_password("ada", ada.session, current, "another horse")

    for _ in range(OF_ACCOUNT_AND_ADDRESS.free):
        with pytest.raises(WrongPassword):
            change("guess")
    with pytest.raises(TooManyAttempts):
        change(PASSWORD)
    clock.now += 2
    change(PASSWORD)
    assert outcome(users, "ada", "another horse") == "signed in"


def test_sign_ups_from_one_address_are_slowed(users: UserStore, clock: Clock) -> None:
    def sign_up(number: int, address: str) -> None:
        users.create(f"user{number}", PASSWORD, address=address)

    for number in range(OF_ADDRESS.free):
        sign_up(number, HERE)
    with pytest.raises(TooManyAttempts):
        sign_up(1_000, HERE)
    sign_up(1_001, THERE)
    clock.now += 2
    sign_up(1_000, HERE)


def test_what_is_typed_into_the_wrong_field_is_not_kept(users: UserStore, dynamodb: Any) -> None:
    guess(users, 2, name="my secret password")
    assert "secret" not in json.dumps(dynamodb.scan(TableName="UsersTable")["Items"])


@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(1, 10**4))
def test_a_wait_never_shrinks_and_has_a_bound(tries: int, free: int, longest: int) -> None:
    limit = Limit(free, longest)
    assert 0 <= limit.wait_after(tries) <= limit.wait_after(tries + 1) <= longest
    assert (limit.wait_after(tries) == 0) == (tries < free)


@pytest.fixture
def slowed(invoke: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    invoke("create_user")
    for _ in range(OF_ACCOUNT_AND_ADDRESS.free):
        invoke("login", body="username=ada&password=wrong+horse")
    return invoke


def test_a_429_says_when_to_try_again(slowed: Callable[..., dict[str, Any]]) -> None:
    right = slowed("login")
    wrong = slowed("login", body="username=ada&password=wrong+horse")
    for answer in (right, wrong):
        assert answer["statusCode"] == 429
        assert answer["multiValueHeaders"]["Retry-After"] == ["1"]
        assert json.loads(answer["body"])["error"] == "temporarily_unavailable"
    assert right["body"] == wrong["body"]
    assert event("login")["body"] != "username=ada&password=wrong+horse"
