"""The authorizer: which tokens open the stage, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import jwt
import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.users.store import UserStore
from shared.users.token_keys import TokenKeys
from shared.users.tokens import TokenSigner
from shared.users.user import User
from tests.handlers import LambdaContext, authorization, event, load_function

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def users(aws: None) -> UserStore:
    return UserStore()


@pytest.fixture
def ada(users: UserStore) -> User:
    return users.create("ada", "correct horse")


def statement(answer: dict[str, Any]) -> Any:
    (statement,) = answer["policyDocument"]["Statement"]
    return statement


def test_a_valid_token_opens_the_whole_stage_until_it_expires(invoke: Invoke, ada: User) -> None:
    token = TokenSigner().issue(ada, lifetime=60)
    answer = invoke("authorize", **authorization(f"Bearer {token}"))
    assert answer["principalId"] == ada.id
    assert answer["context"] == {"user_id": ada.id, "username": "ada", "session": ada.session}
    assert statement(answer)["Effect"] == "Allow"
    assert statement(answer)["Resource"] == "arn:aws:execute-api:us-east-1:123456789012:1234567890/v1/*"
    expiry = datetime.fromisoformat(statement(answer)["Condition"]["DateLessThan"]["aws:CurrentTime"])
    assert 50 < (expiry - datetime.now(UTC)).total_seconds() <= 60


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "garbage", "Bearer \ud800"])
def test_anything_else_is_denied(invoke: Invoke, header: str) -> None:
    answer = invoke("authorize", **authorization(header))
    assert statement(answer)["Effect"] == "Deny"
    assert "Condition" not in statement(answer)
    assert "context" not in answer


def test_an_expired_token_is_denied(invoke: Invoke, ada: User) -> None:
    token = TokenSigner().issue(ada, lifetime=-10)
    assert statement(invoke("authorize", **authorization(f"Bearer {token}")))["Effect"] == "Deny"


def test_a_token_without_its_scheme_is_denied(invoke: Invoke, ada: User) -> None:
    token = TokenSigner().issue(ada, lifetime=60)
    assert statement(invoke("authorize", **authorization(token)))["Effect"] == "Deny"


def test_an_unreachable_key_is_an_error_and_no_denial(invoke: Invoke) -> None:
    """A denial would be kept for minutes; an error is tried again with the next request."""
    boto3.client("secretsmanager").delete_secret(SecretId="TokenSecret", ForceDeleteWithoutRecovery=True)
    token = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "any"})
    with pytest.raises(Exception, match=r"TokenSecret|Secrets Manager"):
        invoke("authorize", **authorization(f"Bearer {token}"))


def effect(invoke: Invoke, token: str) -> str:
    return str(statement(invoke("authorize", **authorization(f"Bearer {token}")))["Effect"])


def test_tokens_from_before_the_password_changed_are_denied(
    invoke: Invoke, users: UserStore, ada: User
) -> None:
    before = TokenSigner().issue(ada, lifetime=60)
    assert effect(invoke, before) == "Allow"
    users.change_password("ada", ada.session, "correct horse", "another horse")
    assert effect(invoke, before) == "Deny"
    now = users.sign_in("ada", "another horse")
    assert effect(invoke, TokenSigner().issue(now, lifetime=60)) == "Allow"


def test_a_sign_in_that_the_change_of_the_password_overtook_is_denied(
    invoke: Invoke, users: UserStore, ada: User
) -> None:
    before = users.sign_in("ada", "correct horse")
    users.change_password("ada", ada.session, "correct horse", "another horse")
    assert effect(invoke, TokenSigner().issue(before, lifetime=60)) == "Deny"


def test_a_token_from_before_there_were_sessions_is_one_of_the_first(invoke: Invoke, ada: User) -> None:
    claims = jwt.decode(TokenSigner().issue(ada, lifetime=60), options={"verify_signature": False})
    del claims["sid"]
    key = TokenKeys().current()
    token = jwt.encode(claims, key.secret, algorithm="HS256", headers={"kid": key.id})
    assert effect(invoke, token) == "Allow"


def test_a_user_who_is_gone_is_denied(invoke: Invoke, ada: User) -> None:
    token = TokenSigner().issue(ada, lifetime=60)
    boto3.client("dynamodb").delete_item(TableName="UsersTable", Key={"username": {"S": "ada"}})
    assert effect(invoke, token) == "Deny"


def test_clocks_may_differ_by_seconds(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, ada: User) -> None:
    ahead = time.time() + 3
    with monkeypatch.context() as patch:
        patch.setattr("shared.users.tokens.time.time", lambda: ahead)
        token = TokenSigner().issue(ada, lifetime=60)
    assert effect(invoke, token) == "Allow"


def test_a_token_of_a_clock_that_is_ahead_is_no_denial(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    """In a moment it is good, and a denial would be kept for minutes."""
    ahead = time.time() + 8
    with monkeypatch.context() as patch:
        patch.setattr("shared.users.tokens.time.time", lambda: ahead)
        token = TokenSigner().issue(ada, lifetime=60)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        effect(invoke, token)


def test_an_unknown_key_is_no_denial_because_it_may_be_new(invoke: Invoke) -> None:
    """A denial would be kept for minutes; API Gateway takes this very message for a 401."""
    token = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "unknown"})
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        invoke("authorize", **authorization(f"Bearer {token}"))


def test_known_keys_outlive_an_outage_of_secrets_manager(aws: None, ada: User) -> None:
    function = load_function("authorize")
    token = TokenSigner().issue(ada, lifetime=60)
    unknown = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "unknown"})

    def authorize(token: str) -> str:
        answer = function.handler(event("authorize", **authorization(f"Bearer {token}")), LambdaContext())
        return str(statement(answer)["Effect"])

    assert authorize(token) == "Allow"
    boto3.client("secretsmanager").delete_secret(SecretId="TokenSecret", ForceDeleteWithoutRecovery=True)

    def time_out(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://secretsmanager.internal")

    function.tokens._keys._client.meta.events.register_first("before-send.secretsmanager", time_out)
    with pytest.raises(ConnectTimeoutError):
        authorize(unknown)
    assert authorize(token) == "Allow"


def test_another_user_of_the_same_name_does_not_inherit_a_session(
    invoke: Invoke, users: UserStore, ada: User
) -> None:
    token = TokenSigner().issue(ada, lifetime=60)
    boto3.client("dynamodb").delete_item(TableName="UsersTable", Key={"username": {"S": "ada"}})
    users.create("ada", "another horse")
    assert effect(invoke, token) == "Deny"
