"""API keys: users create and list them; each is limited to its scope and ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ApiKeyNotFound, InvalidToken, SessionEnded, TooManyApiKeys
from shared.users.api_key import check_form, new_secret
from shared.users.api_keys import MAX_KEYS, ApiKeys
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.user import Identity
from tests.handlers import event
from tests.users import PASSWORD, signed_in

pytestmark = pytest.mark.usefixtures("quick_passwords")

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def table(dynamodb: Any) -> UsersTable:
    return UsersTable(dynamodb)


@pytest.fixture
def keys(table: UsersTable) -> ApiKeys:
    return ApiKeys(table)


@pytest.fixture
def ada(table: UsersTable) -> Identity:
    return signed_in(table, "ada")


def test_a_key_authenticates_its_user_and_its_secret_is_not_stored(
    keys: ApiKeys, ada: Identity, dynamodb: Any
) -> None:
    key, secret = keys.create(ada, "report", "read", None)
    grant = keys.check(secret)
    assert (grant.user.username, grant.key_id, grant.scope, grant.expires_at) == ("ada", key.id, "read", None)
    assert secret not in json.dumps(dynamodb.scan(TableName="UsersTable")["Items"])
    assert keys.all_of(ada) == [key]


def test_a_deleted_key_is_refused_and_others_are_not(keys: ApiKeys, ada: Identity) -> None:
    (one, secret), (other, others_secret) = (keys.create(ada, name, "write", None) for name in ("1", "2"))
    keys.delete(ada, one.id)
    assert keys.all_of(ada) == [other]
    with pytest.raises(InvalidToken):
        keys.check(secret)
    keys.check(others_secret)
    with pytest.raises(ApiKeyNotFound):
        keys.delete(ada, one.id)


def test_an_expired_key_is_refused_and_no_longer_counts(
    keys: ApiKeys, ada: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if DynamoDB has not deleted it yet."""
    secrets = [keys.create(ada, f"key {number}", "read", 2_000_000_000)[1] for number in range(MAX_KEYS)]
    with pytest.raises(TooManyApiKeys):
        keys.create(ada, "one more", "read", None)
    keys.check(secrets[0])
    monkeypatch.setattr("shared.users.api_keys.time.time", lambda: 2_000_000_000)
    with pytest.raises(InvalidToken):
        keys.check(secrets[0])
    assert keys.all_of(Identity("ada", ada.generation, None)) == []
    key, _ = keys.create(Identity("ada", ada.generation, None), "one more", "read", None)
    assert [each.id for each in keys.all_of(Identity("ada", ada.generation, None))] == [key.id]


def test_a_new_password_ends_all_keys(keys: ApiKeys, ada: Identity, table: UsersTable) -> None:
    _, secret = keys.create(ada, "report", "read", None)
    UserStore(table).change_password(ada, PASSWORD, "another horse")
    with pytest.raises(InvalidToken):
        keys.check(secret)
    assert keys.all_of(ada) == []
    keys.create(ada, "report", "read", None)


def test_an_ended_session_cannot_create_or_list_keys(keys: ApiKeys, ada: Identity) -> None:
    gone = Identity("ada", "another generation", None)
    for ask in (lambda: keys.create(gone, "x", "read", None), lambda: keys.all_of(gone)):
        with pytest.raises(SessionEnded):
            ask()


def test_two_keys_made_at_once_are_both_listed(keys: ApiKeys, ada: Identity, table: UsersTable) -> None:
    write, others = table.write, []

    def write_later(*writes: Any) -> None:
        table.write = write  # type: ignore[method-assign]
        others.append(keys.create(ada, "theirs", "read", None)[0])
        write(*writes)

    table.write = write_later  # type: ignore[method-assign]
    mine, _ = keys.create(ada, "mine", "read", None)
    assert {key.id for key in keys.all_of(ada)} == {mine.id, others[0].id}


@pytest.mark.parametrize("has_keys", [True, False])
def test_a_key_made_while_the_account_is_deleted_is_refused_and_leaves_nothing(
    keys: ApiKeys, ada: Identity, table: UsersTable, dynamodb: Any, has_keys: bool
) -> None:
    write = table.write

    def write_later(*writes: Any) -> None:
        table.write = write  # type: ignore[method-assign]
        UserStore(table).delete(ada, PASSWORD)
        write(*writes)

    if has_keys:
        keys.create(ada, "first", "read", None)
    table.write = write_later  # type: ignore[method-assign]
    with pytest.raises(SessionEnded):
        keys.create(ada, "second", "read", None)
    left = [item["username"]["S"] for item in dynamodb.scan(TableName="UsersTable")["Items"]]
    assert not [key for key in left if key.startswith("key")]


def test_a_late_write_does_not_hide_a_new_key(keys: ApiKeys, ada: Identity, table: UsersTable) -> None:
    write, made = table.write, []

    def write_later(*writes: Any) -> None:
        table.write = write  # type: ignore[method-assign]
        UserStore(table).change_password(ada, PASSWORD, "another horse")
        made.append(keys.create(ada, "after it", "read", None)[0])
        write(*writes)

    keys.create(ada, "before it", "read", None)
    table.write = write_later  # type: ignore[method-assign]
    late, _ = keys.create(ada, "meanwhile", "read", None)
    assert {key.id for key in keys.all_of(ada)} == {late.id, made[0].id}


def test_keys_ended_by_version_1_0_are_refused_and_no_longer_count(
    keys: ApiKeys, ada: Identity, table: UsersTable
) -> None:
    """Version 1.0 changes the password without deleting keys."""
    _, secret = keys.create(ada, "report", "read", None)
    table.client.update_item(
        TableName="UsersTable",
        Key={"username": {"S": "ada"}},
        UpdateExpression="SET #session = :new",
        ExpressionAttributeNames={"#session": "session"},
        ExpressionAttributeValues={":new": {"S": "another"}},
    )
    now = Identity("ada", "another", None)
    with pytest.raises(SessionEnded):
        keys.check(secret)
    assert keys.all_of(now) == []
    key, _ = keys.create(now, "report", "read", None)
    assert keys.all_of(now) == [key]


@given(st.text(alphabet="tsk_0123456789abcdef", max_size=80))
def test_a_malformed_key_is_refused_by_its_form(text: str) -> None:
    with pytest.raises(InvalidToken):
        check_form(text)


@given(st.integers(0, 75), st.sampled_from("0123456789abcdefx"))
def test_the_checksum_detects_a_typing_error(place: int, wrong: str) -> None:
    secret = new_secret()
    check_form(secret)
    if secret[place] != wrong:
        with pytest.raises(InvalidToken):
            check_form(secret[:place] + wrong + secret[place + 1 :])


@pytest.mark.parametrize(
    ("function", "scope", "status"),
    [
        ("list_tasks", "read", 200),
        ("get_task", "read", 404),
        ("list_users", "read", 200),
        ("create_task", "write", 201),
        ("create_task", "read", 403),
        ("update_task", "read", 403),
        ("delete_task", "read", 403),
        ("get_me", "write", 403),
        ("change_password", "write", 403),
        ("delete_user", "write", 403),
        ("create_api_key", "write", 403),
        ("list_api_keys", "write", 403),
        ("delete_api_key", "write", 403),
    ],
)
def test_a_key_allows_tasks_within_its_scope_and_no_account(
    invoke: Invoke, function: str, scope: str, status: int
) -> None:
    context = event(function)["requestContext"]
    context["authorizer"] = {"user_id": "x", "username": "ada", "scope": scope, "api_key": "y"}
    answer = invoke(function, requestContext=context)
    assert answer["statusCode"] == status
    if status == 403:
        assert json.loads(answer["body"])["error"] == "insufficient_scope"
