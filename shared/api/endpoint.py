"""Endpoints: what each takes, returns and can fail with, declared where it is done.

API Gateway does the routing and each function has one route, so no function needs a router. `make openapi`
generates the OpenAPI document from these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar, overload

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared.api.problems import problem_of, problem_response, unavailable
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import DomainError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()


class Input(Protocol):
    """What an endpoint takes besides its path: a body, a form or a query string."""

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """


_Input = TypeVar("_Input", bound=Input)


class Returns(NamedTuple):
    """A successful response of an endpoint."""

    status: HTTPStatus
    description: str
    document: Any = None
    """The type of its JSON document, if it has one."""
    headers: Sequence[str] = ()
    """Names of its headers."""


class Declaration(NamedTuple):
    """What an endpoint declares."""

    summary: str
    tag: str
    returns: Sequence[Returns]
    errors: Sequence[DomainError]
    """An example of each error."""
    headers: Sequence[str]
    """Names of the request headers that it reads."""
    takes: type[Input] | None
    description: str
    include_in_schema: bool


class Endpoint:
    """A Lambda handler: calls a function with each request, and turns its errors into problem details."""

    def __init__(self, declaration: Declaration, respond: Callable[[Request], Response]) -> None:
        self.declaration = declaration
        self._respond = respond
        self._handle = logger.inject_lambda_context(self._answer, clear_state=True)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer an event of API Gateway's proxy integration."""
        answer: dict[str, Any] = self._handle(event, context)
        return answer

    def _answer(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG002 (the logger's)
        request = Request(event)
        logger.set_correlation_id(request.id)
        if "user_id" in request.claims:
            logger.append_keys(user_id=request.user_id)
        try:
            response = self._respond(request)
        except (BotoCoreError, ClientError) as error:
            logger.exception("a backend service failed", exc_info=error)
            response = problem_response(unavailable())
        except Exception as error:
            response = problem_response(problem_of(error))
            if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                logger.exception("unexpected error", exc_info=error)
        logger.info("answered", method=request.method, path=event["path"], status=response.status)
        headers = {**response.headers, "x-request-id": request.id}
        if response.content_type:
            headers["Content-Type"] = response.content_type
        return {
            "statusCode": int(response.status),
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "body": response.body,
            "isBase64Encoded": False,
        }


@overload
def endpoint(
    summary: str,
    *,
    tag: str,
    returns: Sequence[Returns],
    errors: Sequence[DomainError] = (),
    headers: Sequence[str] = (),
    include_in_schema: bool = True,
) -> Callable[[Callable[[Request], Response]], Endpoint]: ...
@overload
def endpoint(
    summary: str,
    *,
    tag: str,
    takes: type[_Input],
    returns: Sequence[Returns],
    errors: Sequence[DomainError] = (),
    headers: Sequence[str] = (),
    include_in_schema: bool = True,
) -> Callable[[Callable[[Request, _Input], Response]], Endpoint]: ...
def endpoint(
    summary: str,
    *,
    tag: str,
    takes: type[Input] | None = None,
    returns: Sequence[Returns],
    errors: Sequence[DomainError] = (),
    headers: Sequence[str] = (),
    include_in_schema: bool = True,
) -> Callable[[Callable[..., Response]], Endpoint]:
    """Turn a function into an endpoint. Its docstring is the description in the OpenAPI document.

    Args:
        summary: A few words that say what it does.
        tag: The group of endpoints that it belongs to.
        takes: The model of its body, form or query string; the function's second argument.
        returns: Its successful responses.
        errors: An example of each error that the function can raise.
        headers: Names of the request headers that it reads.
        include_in_schema: Whether the OpenAPI document has it.
    """

    def decorate(function: Callable[..., Response]) -> Endpoint:
        def respond(request: Request) -> Response:
            if takes:
                return function(request, takes.read(request))
            return function(request)

        description = function.__doc__ or ""
        declared = Declaration(summary, tag, returns, errors, headers, takes, description, include_in_schema)
        return Endpoint(declared, respond)

    return decorate
