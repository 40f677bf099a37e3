"""Users: names that differ only in case are one, and passwords are kept as argon2id hashes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from passlib.hash import argon2

from shared.errors import BadCredentials, Contention, SessionEnded, Unavailable, UsernameTaken, WrongPassword
from shared.users import passwords
from shared.users.api_keys import ApiKeys
from shared.users.directory import Directory
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Identity, User


@pytest.fixture
def store(dynamodb: Any) -> UserStore:
    return UserStore(UsersTable(dynamodb))


def identity(user: User) -> Identity:
    """The identity in a token of version 1.0, without a session."""
    return Identity(user.username, user.generation, None)


def item(dynamodb: Any, username: str) -> Any:
    return dynamodb.get_item(TableName="UsersTable", Key={"username": {"S": username}})["Item"]


def test_a_user_signs_in_in_any_case(store: UserStore) -> None:
    created = store.create("Ada", "correct horse")
    assert store.sign_in("aDA", "correct horse")[0] == created
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


# e with circumflex and acute: composed, decomposed, and as Vietnamese keyboards send it.
FORMS = ("caf\u1ebf horse", "cafe\u0302\u0301 horse", "caf\u00ea\u0301 horse")


@pytest.mark.parametrize("typed", FORMS[1:])
def test_a_hash_of_a_decomposed_password_matches_and_is_renewed(
    store: UserStore, dynamodb: Any, typed: str
) -> None:
    store.create("ada", typed)
    old = item(dynamodb, "ada")["password_hash"]["S"]
    store.sign_in("ada", typed)
    renewed = item(dynamodb, "ada")["password_hash"]["S"]
    assert renewed != old
    assert argon2.verify(FORMS[0], renewed)
    for form in FORMS:
        store.sign_in("ada", form)
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


@pytest.mark.parametrize(("wrong", "forms"), [("wrong horse", 1), ("wr\u00f6ng horse", 2), (FORMS[2], 3)])
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
    monkeypatch.setattr(
        handler, "hash", lambda *_, **__: pytest.fail("a wrong password must not create a hash")
    )
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


def test_a_retry_after_a_lost_response_is_no_conflict(store: UserStore, dynamodb: Any) -> None:
    """botocore retries a call whose response was lost; the first one may have been applied."""
    put, calls = dynamodb.put_item, []

    def put_twice(**arguments: Any) -> Any:
        calls.append(put(**arguments))
        return put(**arguments)

    dynamodb.put_item = put_twice
    store.create("ada", "correct horse")
    assert calls


def test_a_password_can_be_changed(store: UserStore) -> None:
    created = store.create("Ada", "correct horse")
    with pytest.raises(WrongPassword):
        store.change_password(identity(created), "wrong horse", "another horse")
    store.change_password(identity(created), "correct horse", "another horse")
    signed_in, *_ = store.sign_in("ada", "another horse")
    assert replace(signed_in, generation=created.generation) == created
    with pytest.raises(BadCredentials):
        store.sign_in("ada", "correct horse")


def test_lookalike_letters_are_other_names(store: UserStore) -> None:
    store.create("kate", "correct horse")
    with pytest.raises(BadCredentials):
        store.sign_in("\u212aate", "correct horse")  # the Kelvin sign


def test_of_two_concurrent_changes_one_is_refused(store: UserStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = identity(store.create("ada", "correct horse"))
    verify = passwords.verify

    def verify_slowly(password: str, hashed: str) -> Any:
        monkeypatch.setattr(passwords, "verify", verify)
        store.change_password(ada, "correct horse", "their horse")
        return verify(password, hashed)

    monkeypatch.setattr(passwords, "verify", verify_slowly)
    with pytest.raises(Contention):
        store.change_password(ada, "correct horse", "my horse")
    store.sign_in("ada", "their horse")


class TestDeletion:
    def test_the_name_of_a_deleted_user_stays_taken_and_cannot_sign_in(
        self, store: UserStore, dynamodb: Any
    ) -> None:
        ada = store.create("Ada", "correct horse")
        with pytest.raises(WrongPassword):
            store.delete(identity(ada), "wrong horse")
        store.delete(identity(ada), "correct horse")
        with pytest.raises(UsernameTaken):
            store.create("ada", "another horse")
        with pytest.raises(BadCredentials):
            store.sign_in("ada", "correct horse")
        with pytest.raises(SessionEnded):
            store.delete(identity(ada), "correct horse")
        assert item(dynamodb, "ada").keys() == {"username", "id", "session", "deleted_at"}

    def test_sessions_and_keys_of_a_deleted_user_are_deleted(self, store: UserStore, dynamodb: Any) -> None:
        user, session, _ = store.sign_in(store.create("ada", "correct horse").username, "correct horse")
        ada = Identity(user.username, user.generation, session.id)
        for name in ("one", "two"):
            ApiKeys(UsersTable(dynamodb)).create(ada, name, "read", None)
        with pytest.raises(WrongPassword):
            store.delete(ada, "wrong horse")
        store.delete(ada, "correct horse")
        left = {each["username"]["S"] for each in dynamodb.scan(TableName="UsersTable")["Items"]}
        assert {key.partition("#")[0] for key in left} == {"ada", "attempts"}


class TestDirectory:
    def test_users_are_listed_by_name_page_by_page(self, store: UserStore, dynamodb: Any) -> None:
        for name in ("Bob", "ada", "Adele", "carl"):
            store.create(name, "correct horse")
        store.delete(identity(store.create("adam", "correct horse")), "correct horse")
        directory = Directory(UsersTable(dynamodb))
        first, last = directory.page(None, 3, None)
        second, end = directory.page(None, 3, last)
        assert (first, second, end) == (["ada", "Adele", "Bob"], ["carl"], None)
        assert directory.page("AD", 1, None) == (["ada"], "ada")
        assert directory.page("AD", 20, "ada") == (["Adele"], None)
        assert directory.page("AD", 20, "000") == (["ada", "Adele"], None)
        assert directory.page("AD", 20, "bob") == ([], None)


class TestTheTable:
    def busy_table(self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, unprocessed: int) -> UsersTable:
        """A table that leaves one of the keys unprocessed, so many times."""
        monkeypatch.setattr("shared.users.table.time.sleep", lambda _seconds: None)
        read, left = dynamodb.batch_get_item, [unprocessed]

        def busy(RequestItems: Any) -> Any:  # noqa: N803
            answer = read(RequestItems=RequestItems)
            if left[0]:
                left[0] -= 1
                (key, *_) = RequestItems["UsersTable"]["Keys"]
                items = answer["Responses"]["UsersTable"]
                answer["Responses"]["UsersTable"] = [
                    each for each in items if each["username"] != key["username"]
                ]
                answer["UnprocessedKeys"] = {"UsersTable": {"Keys": [key], "ConsistentRead": True}}
            return answer

        dynamodb.batch_get_item = busy
        return UsersTable(dynamodb)

    def test_unprocessed_keys_are_read_again(
        self, store: UserStore, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("ada", "bob"):
            store.create(name, "correct horse")
        found = self.busy_table(dynamodb, monkeypatch, 2).read("ada", "nobody", "bob", "ada")
        assert [item and item["display_name"]["S"] for item in found] == ["ada", None, "bob", "ada"]

    def test_a_throttled_table_is_unavailable(self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(Unavailable):
            self.busy_table(dynamodb, monkeypatch, 9).read("ada")
