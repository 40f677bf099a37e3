"""What the OpenAPI document says of responses; its examples come from the code that answers with them."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse, OpenAPIResponseHeader

from shared.errors import DomainError
from shared.http import PROBLEM_TYPE, STATUS_OF_ERROR, phrase, problem_document
from shared.schemas import Problem

SIGNED_IN: dict[str, Any] = {"security": [{"password": []}]}
"""The security requirement of a route behind the authorizer; `local.openapi` defines the scheme for all."""

_HEADERS = {
    "ETag": "The version of the task, for If-Match and If-None-Match.",
    "Link": 'The next page as `<URL>; rel="next"`, while there is one (RFC 8288).',
    "Location": "The URL of the new task.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "`Bearer`",
    "X-Cache": "`hit` when the page came from the cache, `miss` when it went there, `off` without a cache.",
}

_ANY_ROUTE: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request is not one this API understands.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request is not valid: see errors for what is wrong with limit.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests. Slow down and try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side.",
    HTTPStatus.SERVICE_UNAVAILABLE: "A service this API depends on did not answer.",
}

_NOT_SIGNED_IN = "Sign in at /auth/login and send the token as 'Authorization: Bearer <token>'."


def success(
    status: HTTPStatus, description: str, *headers: str, model: object = None
) -> dict[int, OpenAPIResponse]:
    """Document a successful response: its headers, by name, and its JSON body, if it has one."""
    response = OpenAPIResponse(description=description)
    if model is not None:
        response["content"] = {"application/json": {"model": model}}
    if headers:
        response["headers"] = _describe(headers)
    return {status: response}


def problems(*errors: DomainError, signed_in: bool = True) -> dict[int, OpenAPIResponse]:
    """Document the problems of a route: the errors given, those of any route, and 401 if it is not public."""
    details = _ANY_ROUTE | {STATUS_OF_ERROR[type(error)]: str(error) for error in errors}
    if signed_in:
        details[HTTPStatus.UNAUTHORIZED] = _NOT_SIGNED_IN
    return {status: _problem(status, details[status]) for status in sorted(details)}


def _problem(status: HTTPStatus, detail: str) -> OpenAPIResponse:
    field_errors = None
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        field_errors = [{"field": "limit", "message": "Input should be less than or equal to 100"}]
    example = problem_document(status, detail, field_errors)
    response = OpenAPIResponse(
        description=phrase(status),
        content={PROBLEM_TYPE: {"model": Problem, "examples": {"problem": {"value": example}}}},
    )
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = _describe(["WWW-Authenticate"])
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"] = _describe(["Retry-After"])
    return response


def _describe(headers: Iterable[str]) -> dict[str, OpenAPIResponseHeader]:
    return {
        name: OpenAPIResponseHeader(description=_HEADERS[name], schema={"type": "string"}) for name in headers
    }
