"""The HTTP edge: requests in, responses out, and the domain's errors as problem details (RFC 9457)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared import errors
from shared.schemas import task_document, to_json
from shared.tasks import Task

Answer = Response[Any]

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


class Api(APIGatewayRestResolver):
    """The resolver of a function behind API Gateway; `handler` is what Lambda calls.

    Args:
        accepts: The media type that the function's request bodies must have.
    """

    def __init__(self, accepts: str = JSON) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=_parse_json)
        self._accepts = accepts
        self.not_found(_not_found)
        self.exception_handler(RequestValidationError)(_invalid_request)
        self.exception_handler(errors.DomainError)(_domain_error)
        self.exception_handler([BotoCoreError, ClientError])(_backend_failed)
        self.exception_handler(Exception)(_unexpected_error)
        self.handler = logger.inject_lambda_context(
            self.resolve, correlation_id_path="requestContext.requestId", clear_state=True
        )

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer an API Gateway proxy event, and log that; every answer carries its request's id."""
        request = event["requestContext"]
        if user_id := (request.get("authorizer") or {}).get("user_id"):
            logger.append_keys(user_id=user_id)
        if event.get("body") and not self._understands(event):
            wrong_type = _invalid_fields([{"field": "body", "message": f"send it as {self._accepts}"}])
            builder: ResponseBuilder[APIGatewayProxyEvent] = ResponseBuilder(wrong_type)
            answer = builder.build(APIGatewayProxyEvent(dict(event)))
        else:
            answer = super().resolve(event, context)
        answer["multiValueHeaders"]["x-request-id"] = [request["requestId"]]
        logger.info("answered", method=event["httpMethod"], path=event["path"], status=answer["statusCode"])
        return answer

    @property
    def user_id(self) -> str:
        """The id of the signed-in user, as the authorizer vouches for it."""
        return str(self.current_event.request_context.authorizer["user_id"])

    @property
    def request_url(self) -> str:
        """The URL the client asked for, with the stage where there is one, without the query string."""
        scheme = self.current_event.headers.get("x-forwarded-proto", "https")
        request = self.current_event.request_context
        return f"{scheme}://{request.domain_name}{request.path.rstrip('/')}"

    def _understands(self, event: Mapping[str, Any]) -> bool:
        content_type = APIGatewayProxyEvent(dict(event)).headers.get("content-type", JSON)
        return content_type.partition(";")[0].strip().lower() == self._accepts


def json_answer(
    body: object, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a JSON body."""
    return Response(status_code=status, content_type=JSON, body=to_json(body), headers=dict(headers or {}))


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
    return Response(
        status_code=status,
        content_type=PROBLEM_TYPE,
        body=to_json(problem_document(status, detail, field_errors)),
        headers=dict(headers or {}),
    )


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


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # integers of thousands of digits, thousands of levels
        raise json.JSONDecodeError("too large a number, or too deep", text, 0) from error


def _invalid_request(error: RequestValidationError) -> Answer:
    return _invalid_fields([{"field": _field_name(e["loc"]), "message": _message(e)} for e in error.errors()])


def _invalid_fields(field_errors: list[dict[str, str]]) -> Answer:
    fields = ", ".join(dict.fromkeys(error["field"] for error in field_errors))
    detail = f"The request is not valid: see errors for what is wrong with {fields}."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field_errors=field_errors)


def _message(error: Mapping[str, Any]) -> str:
    reason = error.get("ctx", {}).get("error")
    if error["type"] == "json_invalid":
        return f"not valid JSON: {reason}"
    return str(reason or error["msg"])


def _field_name(location: tuple[str | int, ...]) -> str:
    """Name the field that Powertools locates as ("body", "title") or ("query", "limit")."""
    return ".".join(str(part) for part in location[1:] if isinstance(part, str)) or str(location[0])


def _not_found(_error: NotFoundError) -> Answer:
    """Answer for a path that API Gateway takes for the function's route, but Powertools does not."""
    return problem(HTTPStatus.NOT_FOUND, "There is nothing at this path. GET /docs lists the routes.")


def _domain_error(error: errors.DomainError) -> Answer:
    status = STATUS_OF_ERROR[type(error)]
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem(status, str(error), headers=headers)


def _backend_failed(error: BotoCoreError | ClientError) -> Answer:
    logger.exception("a backend service failed", exc_info=error)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A service this API depends on did not answer. Nothing is known to have been lost; try again.",
        headers={"Retry-After": "1"},
    )


def _unexpected_error(error: Exception) -> Answer:
    logger.exception("unexpected error", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on our side. If it happens again, report the x-request-id of this response.",
    )
