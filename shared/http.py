"""The HTTP edge: API Gateway's events in, responses out, the domain's errors as problem details (RFC 9457).

API Gateway has found the route, and each function has one, so no function needs a router of its own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared import errors
from shared.documents import task_document, to_json
from shared.tasks import Task

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from shared.schemas import RequestSchema

logger = Logger()

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PROBLEM_TYPE = "application/problem+json"

STATUS_OF_ERROR: dict[type[errors.DomainError], HTTPStatus] = {
    errors.BadCredentials: HTTPStatus.UNAUTHORIZED,
    errors.SignUpDisabled: HTTPStatus.FORBIDDEN,
    errors.TaskNotFound: HTTPStatus.NOT_FOUND,
    errors.TitleTaken: HTTPStatus.CONFLICT,
    errors.UsernameTaken: HTTPStatus.CONFLICT,
    errors.VersionMismatch: HTTPStatus.PRECONDITION_FAILED,
    errors.Contention: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: HTTPStatus = HTTPStatus.OK
    body: str = ""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Request:
    """A request, as API Gateway's proxy event has it.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._context = event["requestContext"]
        self._headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}

    @property
    def id(self) -> str:
        """What API Gateway calls the request."""
        return str(self._context["requestId"])

    @property
    def user_id(self) -> str | None:
        """The id of the signed-in user, as the authorizer vouches for it; None on a public route."""
        return (self._context.get("authorizer") or {}).get("user_id")

    @property
    def route(self) -> str:
        """The path as the template has it, such as `/tasks/{task_id}`."""
        return str(self._context["resourcePath"])

    @property
    def path(self) -> str:
        """The path the client asked for, with the stage where there is one."""
        return str(self._context["path"]).rstrip("/")

    @property
    def url(self) -> str:
        """The URL the client asked for, without the query string."""
        return f"{self._headers.get('x-forwarded-proto', 'https')}://{self._context['domainName']}{self.path}"

    @property
    def task_id(self) -> str:
        """The task that the path names."""
        return str(self._event["pathParameters"]["task_id"])

    def header(self, name: str) -> str | None:
        """Find a header."""
        return self._headers.get(name.lower())

    def query(self, schema: RequestSchema) -> dict[str, Any]:
        """Read the query string; parameters that the schema does not name are ignored.

        Raises:
            InvalidRequest: it does not fit.
        """
        return schema.validate(_single_values(self._event.get("multiValueQueryStringParameters") or {}))

    def json_body(self, schema: RequestSchema) -> dict[str, Any]:
        """Read the body as JSON.

        Raises:
            InvalidRequest: it is not JSON, or does not fit.
        """
        text = self._body(JSON)
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:  # besides, integers of thousands of digits
            reason = (
                error.msg if isinstance(error, json.JSONDecodeError) else "too large a number, or too deep"
            )
            raise _invalid_body(f"not valid JSON: {reason}") from error
        return schema.validate(body)

    def form(self, schema: RequestSchema) -> dict[str, Any]:
        """Read the body as a form; fields that the schema does not name are ignored.

        Raises:
            InvalidRequest: it is no form, or does not fit.
        """
        return schema.validate(_single_values(parse_qs(self._body(FORM), keep_blank_values=True)))

    def _body(self, media_type: str) -> str:
        body = self._event.get("body") or ""
        if not body:
            raise _invalid_body("Field required")
        given = self._headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if given != media_type:
            raise _invalid_body(f"send it as {media_type}")
        if not self._event.get("isBase64Encoded"):
            return str(body)
        try:
            return base64.b64decode(body).decode()
        except ValueError as error:
            raise _invalid_body("send it in UTF-8") from error


def http_handler(
    answer: Callable[[Request], Answer],
) -> Callable[[dict[str, Any], LambdaContext], dict[str, Any]]:
    """Make what Lambda calls of a function that answers requests.

    Errors become problem details, every answer carries its request's id, and all is logged.
    """

    @logger.inject_lambda_context(clear_state=True)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 (the decorator's)
        request = Request(event)
        logger.set_correlation_id(request.id)
        if request.user_id:
            logger.append_keys(user_id=request.user_id)
        try:
            answered = answer(request)
        except Exception as error:
            answered = _problem_of(error)
        logger.info("answered", method=event["httpMethod"], path=event["path"], status=answered.status)
        headers = {**answered.headers, "x-request-id": request.id}
        if answered.content_type:
            headers["Content-Type"] = answered.content_type
        return {
            "statusCode": int(answered.status),
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "body": answered.body,
            "isBase64Encoded": False,
        }

    return handler


def json_answer(
    body: object, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a JSON body."""
    return Answer(status, to_json(body), JSON, headers or {})


def task_answer(
    task: Task, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a task and its entity tag."""
    return json_answer(task_document(task), status=status, headers={**(headers or {}), "ETag": etag(task)})


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    field_errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer with problem details."""
    body = to_json(problem_document(status, detail, field_errors))
    return Answer(status, body, PROBLEM_TYPE, headers or {})


def problem_document(
    status: HTTPStatus, detail: str, field_errors: list[dict[str, str]] | None = None
) -> dict[str, object]:
    """Build problem details of the type `about:blank`, whose title is the status's own phrase."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": phrase(status),
        "status": status,
        "detail": detail,
    }
    if field_errors:
        document["errors"] = field_errors
    return document


def phrase(status: HTTPStatus) -> str:
    """Say what a status means in the words of RFC 9110, which Python has for 422 from version 3.13 on."""
    return "Unprocessable Content" if status == HTTPStatus.UNPROCESSABLE_ENTITY else status.phrase


def etag(task: Task) -> str:
    """Name the version of a task as a strong entity tag (RFC 9110, section 8.8.3)."""
    return f'"{task.version}"'


def matching_versions(if_match: str | None) -> frozenset[int] | None:
    """Read `If-Match` (RFC 9110, section 13.1.1): the versions it admits, or None for any.

    Weak tags never match, and neither does what is no tag of this service.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(int(tag) for tag in re.findall(r'(?:^|,)\s*"(\d{1,18})"\s*(?=,|$)', if_match, re.ASCII))


def is_unchanged(task: Task, if_none_match: str | None) -> bool:
    """Whether `If-None-Match` names the task's version; weak comparison (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag(task) in tags or tags == ["*"]


def _single_values(values: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Take what is given once as it is; what is given more often stays a list, which no schema takes."""
    return {name: given[0] if len(given) == 1 else given for name, given in values.items()}


def _invalid_body(message: str) -> errors.InvalidRequest:
    return errors.InvalidRequest([{"field": "body", "message": message}])


def _problem_of(error: Exception) -> Answer:
    match error:
        case errors.InvalidRequest():
            fields = ", ".join(dict.fromkeys(each["field"] for each in error.field_errors))
            detail = f"The request is not valid: see errors for what is wrong with {fields}."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field_errors=error.field_errors)
        case errors.DomainError():
            status = STATUS_OF_ERROR[type(error)]
            headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
            return problem(status, str(error), headers=headers)
        case BotoCoreError() | ClientError():
            logger.exception("a backend service failed", exc_info=error)
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "A service this API depends on did not answer. "
                "Nothing is known to have been lost; try again.",
                headers={"Retry-After": "1"},
            )
        case _:
            logger.exception("unexpected error", exc_info=error)
            return problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "Something went wrong on our side. "
                "If it happens again, report the x-request-id of this response.",
            )
