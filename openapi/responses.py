"""What the OpenAPI document says of responses; its examples come from the code that answers with them."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from openapi.bodies import Problem
from shared.errors import DomainError
from shared.http import JSON, PROBLEM_TYPE, STATUS_OF_ERROR, phrase, problem_document

Responses = dict[str, dict[str, Any]]
"""OpenAPI's response objects by status."""

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


def reference(model: type) -> dict[str, str]:
    """Refer to a model's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def success(
    status: HTTPStatus, description: str, *headers: str, schema: dict[str, Any] | None = None
) -> Responses:
    """Document a successful response: its headers, by name, and its JSON body, if it has one."""
    response: dict[str, Any] = {"description": description}
    if headers:
        response["headers"] = _describe(headers)
    if schema is not None:
        response["content"] = {JSON: {"schema": schema}}
    return {str(status.value): response}


def problems(*errors: DomainError, signed_in: bool = True) -> Responses:
    """Document the problems of a route: the errors given, those of any route, and 401 if it is not public."""
    details = _ANY_ROUTE | {STATUS_OF_ERROR[type(error)]: str(error) for error in errors}
    if signed_in:
        details[HTTPStatus.UNAUTHORIZED] = _NOT_SIGNED_IN
    return {str(status.value): _problem(status, details[status]) for status in sorted(details)}


def _problem(status: HTTPStatus, detail: str) -> dict[str, Any]:
    field_errors = None
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        field_errors = [{"field": "limit", "message": "Input should be less than or equal to 100"}]
    example = problem_document(status, detail, field_errors)
    response: dict[str, Any] = {"description": phrase(status)}
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = _describe(["WWW-Authenticate"])
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"] = _describe(["Retry-After"])
    response["content"] = {
        PROBLEM_TYPE: {"schema": reference(Problem), "examples": {"problem": {"value": example}}}
    }
    return response


def _describe(headers: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in headers}
