"""The authorizer: which tokens it allows, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import jwt
import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.users.api_keys import ApiKeys
from shared.users.sessions import Sessions
from shared.users.store import UserStore
from shared.users.token_keys import TokenKeys
from shared.users.tokens import TokenSigner
from shared.users.user import Identity, User
from tests.handlers import LambdaContext, authorization, event, load_function

pytestmark = pytest.mark.usefixtures("quick_passwords")

HORSE = "correct horse"
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def users(aws: None) -> UserStore:
    return UserStore()


@pytest.fixture
def ada(users: UserStore) -> User:
    return users.create("ada", "correct horse")


def issue(user: User, lifetime: int = 60) -> str:
    """A token as version 1.0 issued it, without a session."""
    token = TokenSigner().issue(user, "", lifetime=lifetime)
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims["ses"]
    key = TokenKeys().current()
    return jwt.encode(claims, key.secret, algorithm="HS256", headers={"kid": key.id})


def sign_in(users: UserStore, password: str = HORSE) -> tuple[str, Identity]:
    user, session, _ = users.sign_in("ada", password)
    token = TokenSigner().issue(user, session.id, lifetime=60)
    return token, Identity(user.username, user.generation, session.id)


def statement(answer: dict[str, Any]) -> Any:
    (statement,) = answer["policyDocument"]["Statement"]
    return statement


def test_a_valid_token_allows_the_whole_stage_until_it_expires(invoke: Invoke, ada: User) -> None:
    token = issue(ada)
    answer = invoke("authorize", **authorization(f"Bearer {token}"))
    assert answer["principalId"] == ada.id
    assert answer["context"] == {"user_id": ada.id, "username": "ada", "session": ada.generation}
    assert statement(answer)["Effect"] == "Allow"
    assert statement(answer)["Resource"] == "arn:aws:execute-api:us-east-1:123456789012:1234567890/v1/*"
    expiry = datetime.fromisoformat(statement(answer)["Condition"]["DateLessThan"]["aws:CurrentTime"])
    assert 50 < (expiry - datetime.now(UTC)).total_seconds() <= 60


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "garbage", "Bearer \ud800"])
def test_any_other_header_is_denied(invoke: Invoke, header: str) -> None:
    answer = invoke("authorize", **authorization(header))
    assert statement(answer)["Effect"] == "Deny"
    assert "Condition" not in statement(answer)
    assert "context" not in answer


def test_an_expired_token_is_denied(invoke: Invoke, ada: User) -> None:
    token = issue(ada, lifetime=-10)
    assert statement(invoke("authorize", **authorization(f"Bearer {token}")))["Effect"] == "Deny"


def test_a_token_without_its_scheme_is_denied(invoke: Invoke, ada: User) -> None:
    token = issue(ada)
    assert statement(invoke("authorize", **authorization(token)))["Effect"] == "Deny"


def test_an_unreachable_key_is_an_error_not_a_denial(invoke: Invoke) -> None:
    """API Gateway caches a denial for minutes; after an error it calls the authorizer again."""
    boto3.client("secretsmanager").delete_secret(SecretId="TokenSecret", ForceDeleteWithoutRecovery=True)
    token = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "any"})
    with pytest.raises(Exception, match=r"TokenSecret|Secrets Manager"):
        invoke("authorize", **authorization(f"Bearer {token}"))


def effect(invoke: Invoke, token: str) -> str:
    return str(statement(invoke("authorize", **authorization(f"Bearer {token}")))["Effect"])


def test_a_new_password_ends_all_sessions_but_its_own(invoke: Invoke, users: UserStore, ada: User) -> None:
    of_1_0, (mine, me), (other, _) = issue(ada), sign_in(users), sign_in(users)
    assert [effect(invoke, token) for token in (of_1_0, mine, other)] == ["Allow"] * 3
    users.change_password(me, "correct horse", "another horse")
    assert [effect(invoke, token) for token in (of_1_0, mine, other)] == ["Deny", "Allow", "Deny"]
    assert effect(invoke, sign_in(users, "another horse")[0]) == "Allow"


def test_a_sign_in_overtaken_by_a_new_password_is_denied(invoke: Invoke, users: UserStore, ada: User) -> None:
    before, session, _ = users.sign_in("ada", "correct horse")
    users.change_password(Identity("ada", ada.generation, None), "correct horse", "another horse")
    assert effect(invoke, TokenSigner().issue(before, session.id, lifetime=60)) == "Deny"


def test_a_signed_out_session_is_denied(invoke: Invoke, users: UserStore, ada: User) -> None:
    (token, me), (other, _) = sign_in(users), sign_in(users)
    Sessions().end(str(me.session))
    assert [effect(invoke, each) for each in (token, other)] == ["Deny", "Allow"]


def test_a_session_of_somebody_else_is_denied(invoke: Invoke, users: UserStore, ada: User) -> None:
    users.create("bob", "correct horse")
    _, session, _ = users.sign_in("bob", "correct horse")
    assert effect(invoke, TokenSigner().issue(ada, session.id, lifetime=60)) == "Deny"


def test_a_device_token_is_denied(invoke: Invoke, ada: User) -> None:
    assert effect(invoke, TokenSigner().issue_device(ada, "device")) == "Deny"


class TestApiKeys:
    def test_a_key_allows_the_whole_stage_with_its_scope(
        self, invoke: Invoke, users: UserStore, ada: User
    ) -> None:
        _, me = sign_in(users)
        key, secret = ApiKeys().create(me, "report", "read", None)
        answer = invoke("authorize", **authorization(f"Bearer {secret}"))
        assert answer["context"] == {
            "user_id": ada.id,
            "username": "ada",
            "scope": "read",
            "api_key": key.id,
            "api_key_name": "report",
        }
        assert statement(answer)["Effect"] == "Allow"
        assert "Condition" not in statement(answer)

    def test_an_expiring_key_allows_the_stage_until_it_expires(
        self, invoke: Invoke, users: UserStore, ada: User
    ) -> None:
        _, secret = ApiKeys().create(sign_in(users)[1], "report", "write", 2_000_000_000)
        until = statement(invoke("authorize", **authorization(f"Bearer {secret}")))["Condition"]
        assert until == {"DateLessThan": {"aws:CurrentTime": "2033-05-18T03:33:20Z"}}

    @pytest.mark.parametrize(
        "change", [lambda key: key[:-1], lambda key: key[:-1] + "g", lambda key: key + "0"]
    )
    def test_malformed_keys_are_denied(
        self, invoke: Invoke, users: UserStore, ada: User, change: Callable[[str], str]
    ) -> None:
        _, secret = ApiKeys().create(sign_in(users)[1], "report", "read", None)
        assert effect(invoke, change(secret)) == "Deny"


def test_a_token_without_a_generation_belongs_to_the_first_one(invoke: Invoke, ada: User) -> None:
    claims = jwt.decode(issue(ada), options={"verify_signature": False})
    del claims["sid"]
    key = TokenKeys().current()
    token = jwt.encode(claims, key.secret, algorithm="HS256", headers={"kid": key.id})
    assert effect(invoke, token) == "Allow"


def test_a_deleted_user_is_denied(invoke: Invoke, ada: User) -> None:
    token = issue(ada)
    boto3.client("dynamodb").delete_item(TableName="UsersTable", Key={"username": {"S": "ada"}})
    assert effect(invoke, token) == "Deny"


def test_clocks_may_differ_by_seconds(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, ada: User) -> None:
    ahead = time.time() + 3
    with monkeypatch.context() as patch:
        patch.setattr("shared.users.tokens.time.time", lambda: ahead)
        token = issue(ada)
    assert effect(invoke, token) == "Allow"


def test_a_token_issued_by_a_fast_clock_is_not_denied(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    """The token is valid in a few seconds, and API Gateway would cache a denial for minutes."""
    ahead = time.time() + 8
    with monkeypatch.context() as patch:
        patch.setattr("shared.users.tokens.time.time", lambda: ahead)
        token = issue(ada)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        effect(invoke, token)


def test_a_token_with_an_unknown_key_is_not_denied(invoke: Invoke) -> None:
    """The key may be new, and a denial would be cached. API Gateway turns exactly this message into a 401."""
    token = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "unknown"})
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        invoke("authorize", **authorization(f"Bearer {token}"))


def test_known_keys_outlive_an_outage_of_secrets_manager(aws: None, ada: User) -> None:
    function = load_function("authorize")
    token = issue(ada)
    unknown = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "unknown"})

    def authorize(token: str) -> str:
        answer = function.handler(event("authorize", **authorization(f"Bearer {token}")), LambdaContext())
        return str(statement(answer)["Effect"])

    assert authorize(token) == "Allow"
    boto3.client("secretsmanager").delete_secret(SecretId="TokenSecret", ForceDeleteWithoutRecovery=True)

    def time_out(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://secretsmanager.internal")

    function.tokens.keys._client.meta.events.register_first("before-send.secretsmanager", time_out)
    with pytest.raises(ConnectTimeoutError):
        authorize(unknown)
    assert authorize(token) == "Allow"


def test_another_user_of_the_same_name_does_not_inherit_a_session(
    invoke: Invoke, users: UserStore, ada: User
) -> None:
    token = issue(ada)
    boto3.client("dynamodb").delete_item(TableName="UsersTable", Key={"username": {"S": "ada"}})
    users.create("ada", "another horse")
    assert effect(invoke, token) == "Deny"
