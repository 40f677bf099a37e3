"""The authorizer: which tokens open the stage, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from shared.users.store import User
from shared.users.tokens import TokenSigner
from tests.handlers import event

ADA = User(id="0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34", username="ada", created_at=0)
Invoke = Callable[..., dict[str, Any]]


def statement(answer: dict[str, Any]) -> Any:
    (statement,) = answer["policyDocument"]["Statement"]
    return statement


def test_a_valid_token_opens_the_whole_stage_until_it_expires(invoke: Invoke) -> None:
    token = TokenSigner().issue(ADA, lifetime=60)
    answer = invoke("authorize", authorizationToken=f"Bearer {token}")
    assert answer["principalId"] == ADA.id
    assert answer["context"] == {"user_id": ADA.id, "username": "ada"}
    assert statement(answer)["Effect"] == "Allow"
    assert statement(answer)["Resource"] == "arn:aws:execute-api:us-east-1:123456789012:1234567890/v1/*"
    expiry = datetime.fromisoformat(statement(answer)["Condition"]["DateLessThan"]["aws:CurrentTime"])
    assert 50 < (expiry - datetime.now(UTC)).total_seconds() <= 60


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "garbage"])
def test_anything_else_is_denied(invoke: Invoke, header: str) -> None:
    answer = invoke("authorize", authorizationToken=header)
    assert statement(answer)["Effect"] == "Deny"
    assert "Condition" not in statement(answer)
    assert "context" not in answer


def test_an_expired_token_is_denied(invoke: Invoke) -> None:
    token = TokenSigner().issue(ADA, lifetime=-1)
    assert statement(invoke("authorize", authorizationToken=f"Bearer {token}"))["Effect"] == "Deny"


def test_a_token_without_its_scheme_is_denied(invoke: Invoke) -> None:
    token = TokenSigner().issue(ADA, lifetime=60)
    assert statement(invoke("authorize", authorizationToken=token))["Effect"] == "Deny"


def test_an_unreachable_key_is_an_error_and_no_denial(invoke: Invoke) -> None:
    """A denial would be kept for minutes; an error is tried again with the next request."""
    boto3.client("secretsmanager").delete_secret(SecretId="TokenSecret", ForceDeleteWithoutRecovery=True)
    with pytest.raises(Exception, match=r"TokenSecret|Secrets Manager"):
        invoke("authorize", **event("authorize"))
