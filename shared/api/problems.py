"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, NotRequired, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from shared import errors
from shared.api.response import Response, to_json
from shared.schema import Schema

MEDIA_TYPE = "application/problem+json"

MAX_ERRORS = 20
"""How many errors a 422 lists at most."""
MAX_NAME = 100
"""Maximum length of a field's name in an error; the client may have made it up."""

_STATUSES: dict[type[errors.DomainError], HTTPStatus] = {
    errors.BadCredentials: HTTPStatus.UNAUTHORIZED,
    errors.UnsupportedGrant: HTTPStatus.BAD_REQUEST,
    errors.InvalidRefreshToken: HTTPStatus.BAD_REQUEST,
    errors.InsufficientScope: HTTPStatus.FORBIDDEN,
    errors.ApiKeyNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManyApiKeys: HTTPStatus.CONFLICT,
    errors.WebhookNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManyWebhooks: HTTPStatus.CONFLICT,
    errors.SessionEnded: HTTPStatus.UNAUTHORIZED,
    errors.SignUpDisabled: HTTPStatus.FORBIDDEN,
    errors.WrongPassword: HTTPStatus.FORBIDDEN,
    errors.TaskNotFound: HTTPStatus.NOT_FOUND,
    errors.NotInTrash: HTTPStatus.NOT_FOUND,
    errors.TitleTaken: HTTPStatus.CONFLICT,
    errors.UsernameTaken: HTTPStatus.CONFLICT,
    errors.VersionMismatch: HTTPStatus.PRECONDITION_FAILED,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownAssignee: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Contention: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
UNEXPECTED = (
    "Something went wrong on our side. If you were writing, check whether the change was applied. "
    "If it happens again, report the x-request-id of this response."
)
UNAVAILABLE = (
    "A service that this API depends on did not respond. "
    "If you were writing, check whether the change was applied before you retry."
)
HEADERS = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
"""Headers by status."""
_REFUSED_FOR_NOW = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""AWS errors that are not our mistake."""


class FieldError(TypedDict):
    """An error in one field of a request."""

    field: Annotated[str, Schema(description="The field's name, or `body` for the body as a whole.")]
    message: str


class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: Annotated[str, Schema(format="uri-reference")]
    title: Annotated[str, Schema(description="The status in words.")]
    status: int
    detail: Annotated[str, Schema(description="What went wrong, and what to do about it.")]
    task_id: NotRequired[Annotated[str, Schema(format="uuid", description="Who has the title; with 409.")]]
    error: NotRequired[Annotated[str, Schema(description="OAuth 2's name of the error, for its clients.")]]
    error_description: NotRequired[Annotated[str, Schema(description="The same as detail.")]]
    errors: NotRequired[
        Annotated[list[FieldError], Schema(description="Each field that is wrong; with 422.")]
    ]


class InvalidRequest(Exception):
    """The request is invalid."""

    def __init__(self, field_errors: Sequence[FieldError]) -> None:
        super().__init__(field_errors)
        self.field_errors = list(field_errors)

    @classmethod
    def of_body(cls, message: str) -> Self:
        """Report an error of the body as a whole."""
        return cls([{"field": "body", "message": message}])


class UnsupportedMediaType(Exception):
    """The endpoint does not accept the body's media type."""

    def __init__(self, media_types: Sequence[str]) -> None:
        super().__init__(f"Send the body as {' or '.join(media_types)}, in UTF-8.")


def status_of(error: Exception) -> HTTPStatus:
    """Map an error to its status; 500 if it has none."""
    if isinstance(error, InvalidRequest):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, BotoCoreError | ClientError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, UnsupportedMediaType):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    statuses = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
    return next(statuses, HTTPStatus.INTERNAL_SERVER_ERROR)


def is_our_fault(error: Exception) -> bool:
    """Whether an error is our mistake: in code, a permission or the name of a table."""
    if isinstance(error, ClientError):
        is_refused = error.response["ResponseMetadata"].get("HTTPStatusCode", 500) < 500
        return is_refused and error.response["Error"]["Code"] not in _REFUSED_FOR_NOW
    return status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: Exception) -> Problem:
    """Turn an error into a problem. The text of an unexpected error stays in the log."""
    status = status_of(error)
    match error:
        case InvalidRequest():
            fields = ", ".join(dict.fromkeys(each["field"] for each in error.field_errors))
            detail = f"The request is not valid: see errors for what is wrong with {fields}."
            return {**_problem(status, detail), "errors": error.field_errors}
        case errors.TitleTaken():
            return {**_problem(status, str(error)), "task_id": error.task_id}
        case errors.InsufficientScope():
            detail = str(error)
            return {**_problem(status, detail), "error": "insufficient_scope", "error_description": detail}
        case errors.IdempotencyKeyReused():
            return problem_of(InvalidRequest([{"field": "Idempotency-Key", "message": str(error)}]))
        case errors.UnknownAssignee():
            return problem_of(InvalidRequest([{"field": "assignee", "message": str(error)}]))
        case UnsupportedMediaType():
            return _problem(status, str(error))
        case errors.DomainError() if status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return _problem(status, str(error))
        case _ if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return _problem(status, UNAVAILABLE)
        case _:
            return _problem(status, UNEXPECTED)


def problem_response(problem: Problem, error: Exception | None = None) -> Response:
    """Send a problem, with the headers of its status, and of the error where that has some."""
    status = HTTPStatus(problem["status"])
    headers = HEADERS.get(status, {})
    if isinstance(error, errors.TooManyAttempts):
        headers = {"Retry-After": str(error.retry_after)}
    return Response(status, to_json(problem), MEDIA_TYPE, headers)


def phrase(status: HTTPStatus) -> str:
    """Give a status's reason phrase (RFC 9110), where older versions of Python have older ones."""
    return _PHRASES.get(status, status.phrase)


def _problem(status: HTTPStatus, detail: str) -> Problem:
    # The type about:blank says that the title is the status's own phrase.
    return {"type": "about:blank", "title": phrase(status), "status": int(status), "detail": detail}
