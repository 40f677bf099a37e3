"""Users: names that differ only in case are one, and passwords are kept as argon2id hashes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from passlib.hash import argon2

from shared.errors import BadCredentials, Contention, SessionEnded, UsernameTaken, WrongPassword
from shared.users import passwords
from shared.users.store import UserStore


@pytest.fixture
def store(dynamodb: Any) -> UserStore:
    return UserStore(dynamodb)


def item(dynamodb: Any, username: str) -> Any:
    return dynamodb.get_item(TableName="UsersTable", Key={"username": {"S": username}})["Item"]


def test_a_user_signs_in_in_any_case(store: UserStore) -> None:
    created = store.create("Ada", "correct horse")
    assert store.sign_in("aDA", "correct horse") == created
    assert created.username == "Ada"


def test_a_name_is_taken_in_any_case(store: UserStore) -> None:
    store.create("Ada", "correct horse")
    with pytest.raises(UsernameTaken):
        store.create("ada", "another horse")
    store.sign_in("ada", "correct horse")


def test_the_password_is_not_kept(store: UserStore, dynamodb: Any) -> None:
    store.create("ada", "correct horse")
    kept = item(dynamodb, "ada")
    assert kept["password_hash"]["S"].startswith("$argon2id$")
    assert "correct horse" not in str(kept)


def test_a_password_that_was_hashed_before_it_was_composed_is_right_and_is_renewed(
    store: UserStore, dynamodb: Any
) -> None:
    """Requests have passwords composed (NFC)."""
    composed, decomposed = "caf\u00e9 horse", "cafe\u0301 horse"
    store.create("ada", decomposed)
    old = item(dynamodb, "ada")["password_hash"]["S"]
    store.sign_in("ada", composed)
    renewed = item(dynamodb, "ada")["password_hash"]["S"]
    assert renewed != old
    assert argon2.verify(composed, renewed)
    store.sign_in("ada", composed)
    assert item(dynamodb, "ada")["password_hash"]["S"] == renewed
    with pytest.raises(BadCredentials):
        store.sign_in("ada", "cafe horse")


@pytest.mark.parametrize(
    ("username", "password"), [("ada", "wrong"), ("ada", ""), ("nobody", "correct horse")]
)
def test_wrong_credentials_are_refused(store: UserStore, username: str, password: str) -> None:
    store.create("ada", "correct horse")
    with pytest.raises(BadCredentials):
        store.sign_in(username, password)


@pytest.mark.parametrize(("wrong", "forms"), [("wrong horse", 1), ("wr\u00f6ng horse", 2)])
def test_an_unknown_name_costs_as_much_hashing_as_a_wrong_password(
    store: UserStore, monkeypatch: pytest.MonkeyPatch, wrong: str, forms: int
) -> None:
    store.create("ada", "correct horse")
    monkeypatch.setattr(passwords, "_context", passwords._context.copy())  # as in a new execution environment
    handler = passwords._context.handler("argon2")
    verify, costs = handler.verify, []

    def counting(secret: str, stored: str, **options: Any) -> bool:
        costs.append(stored.split("$")[1:4])
        return bool(verify(secret, stored, **options))

    monkeypatch.setattr(handler, "verify", counting)
    monkeypatch.setattr(handler, "hash", lambda *_, **__: pytest.fail("a wrong password makes no hash"))
    assert not passwords._context.needs_update(passwords._NOBODYS_HASH)
    for username in ("ada", "nobody"):
        with pytest.raises(BadCredentials):
            store.sign_in(username, wrong)
    assert costs == [["argon2id", "v=19", "m=19456,t=2,p=1"]] * 2 * forms


def test_a_hash_with_old_parameters_is_renewed_at_login(store: UserStore, dynamodb: Any) -> None:
    store.create("ada", "correct horse")
    weak = argon2.using(memory_cost=1024, time_cost=1, parallelism=1).hash("correct horse")
    dynamodb.update_item(
        TableName="UsersTable",
        Key={"username": {"S": "ada"}},
        UpdateExpression="SET password_hash = :weak",
        ExpressionAttributeValues={":weak": {"S": weak}},
    )
    with pytest.raises(BadCredentials):
        store.sign_in("ada", "wrong horse")
    assert item(dynamodb, "ada")["password_hash"]["S"] == weak
    store.sign_in("ada", "correct horse")
    renewed = item(dynamodb, "ada")["password_hash"]["S"]
    assert "m=19456,t=2,p=1" in renewed
    store.sign_in("ada", "correct horse")
    assert item(dynamodb, "ada")["password_hash"]["S"] == renewed


def test_a_repeated_call_after_a_lost_response_is_no_conflict(store: UserStore, dynamodb: Any) -> None:
    """botocore repeats a call whose response it did not get; the first one may have been carried out."""
    put, calls = dynamodb.put_item, []

    def put_twice(**arguments: Any) -> Any:
        calls.append(put(**arguments))
        return put(**arguments)

    dynamodb.put_item = put_twice
    store.create("ada", "correct horse")
    assert calls


def test_a_password_can_be_changed(store: UserStore, dynamodb: Any) -> None:
    created = store.create("Ada", "correct horse")
    with pytest.raises(WrongPassword):
        store.change_password("ada", created.session, "wrong horse", "another horse")
    store.change_password("ada", created.session, "correct horse", "another horse")
    signed_in = store.sign_in("ada", "another horse")
    assert replace(signed_in, session=created.session) == created
    with pytest.raises(BadCredentials):
        store.sign_in("ada", "correct horse")


def test_a_new_password_ends_the_sessions_before(store: UserStore) -> None:
    before = store.create("ada", "correct horse").session
    store.change_password("ada", before, "correct horse", "another horse")
    now = store.sign_in("ada", "another horse").session
    assert store.get("ada", now).username == "ada"
    with pytest.raises(SessionEnded):
        store.get("ada", before)
    with pytest.raises(SessionEnded):
        store.change_password("ada", before, "another horse", "third horse")


def test_a_session_is_not_inherited_with_the_name(store: UserStore, dynamodb: Any) -> None:
    before = store.create("ada", "correct horse").session
    dynamodb.delete_item(TableName="UsersTable", Key={"username": {"S": "ada"}})
    store.create("ada", "correct horse")
    with pytest.raises(SessionEnded):
        store.get("ada", before)
    with pytest.raises(SessionEnded):
        store.change_password("ada", before, "correct horse", "another horse")


def test_a_letter_that_only_looks_like_one_of_a_name_is_another(store: UserStore) -> None:
    store.create("kate", "correct horse")
    with pytest.raises(BadCredentials):
        store.sign_in("\u212aate", "correct horse")  # the sign of Kelvin


def test_a_change_that_botocore_repeats_is_no_conflict(store: UserStore, dynamodb: Any) -> None:
    session = store.create("ada", "correct horse").session
    update = dynamodb.update_item

    def update_twice(**arguments: Any) -> Any:
        update(**arguments)
        return update(**arguments)

    dynamodb.update_item = update_twice
    store.change_password("ada", session, "correct horse", "another horse")


def test_of_two_changes_at_once_one_is_refused(
    store: UserStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = store.create("ada", "correct horse").session
    verify = passwords.verify

    def verify_slowly(password: str, hashed: str) -> Any:
        monkeypatch.setattr(passwords, "verify", verify)
        UserStore(dynamodb).change_password("ada", session, "correct horse", "their horse")
        return verify(password, hashed)

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    with pytest.raises(Contention):
        store.change_password("ada", session, "correct horse", "my horse")
    store.sign_in("ada", "their horse")


def test_a_user_who_is_gone_has_no_session(store: UserStore) -> None:
    for ask in (store.get, lambda name, session: store.change_password(name, session, "x", "y")):
        with pytest.raises(SessionEnded):
            ask("nobody", "any")
