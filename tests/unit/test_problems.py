"""Errors as problem details: each has a status, and none can fail in its turn."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from shared import errors
from shared.api.oauth import with_oauth_error
from shared.api.problems import InvalidRequest, problem_of, problem_response, status_of
from shared.errors import Contention, DomainError, InvalidToken, Unavailable, UncertainToken
from tests.template import RESOURCES, of_type


def test_every_error_of_the_domain_has_a_status() -> None:
    """All but the authorizer's: a bad token is a policy that denies."""
    there = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DomainError)
    ]
    without = {each for each in there if status_of(each.__new__(each)) == 500} - {
        DomainError,
        InvalidToken,
        UncertainToken,
    }
    assert not without, f"give them statuses in shared/api/problems.py: {without}"


class Unforeseen(DomainError):
    """An error that nobody gave a status to."""


class MorePrecise(InvalidRequest):
    """An error of a kind that has a status."""


@pytest.mark.parametrize("error", [Unforeseen("secret"), KeyError("secret"), InvalidToken("secret")])
def test_an_unknown_error_is_a_500_without_details(error: Exception) -> None:
    problem = problem_of(error)
    assert problem["status"] == 500
    assert "secret" not in json.dumps(problem)


def test_an_error_has_the_status_of_its_kind() -> None:
    problem = problem_of(MorePrecise([{"field": "title", "message": "too long"}]))
    assert problem["status"] == 422
    assert problem["errors"] == [{"field": "title", "message": "too long"}]


def test_the_gateways_default_error_is_the_same() -> None:
    (api,) = of_type("AWS::Serverless::Api")
    response = RESOURCES[api]["Properties"]["GatewayResponses"]["DEFAULT_5XX"]
    text = response["ResponseTemplates"]["application/json"]
    assert json.loads(text) == with_oauth_error(problem_of(KeyError()), KeyError())


def test_a_503_says_when_to_try_again() -> None:
    problem = problem_of(KeyError()) | {"status": int(HTTPStatus.SERVICE_UNAVAILABLE)}
    assert problem_response(problem).headers == {"Retry-After": "1"}  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [Unavailable(), Contention()])
def test_an_error_before_the_write_says_that_nothing_was_changed(error: Exception) -> None:
    problem = problem_of(error)
    assert problem["status"] == 503
    assert "nothing was changed" in problem["detail"]
