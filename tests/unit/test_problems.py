"""Errors as problem details: each has a status, and reporting one never fails."""

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
    """Except those of the authorizer, which responds with a policy and not with a problem."""
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
    """An error without a status."""


class MorePrecise(InvalidRequest):
    """A subclass of an error that has a status."""


@pytest.mark.parametrize("error", [Unforeseen("secret"), KeyError("secret"), InvalidToken("secret")])
def test_an_unknown_error_is_a_500_without_details(error: Exception) -> None:
    problem = problem_of(error)
    assert problem["status"] == 500
    assert "secret" not in json.dumps(problem)


def test_an_error_has_the_status_of_its_base_class() -> None:
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
