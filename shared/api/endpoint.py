"""Endpoints: what each takes, returns and can fail with, declared where it is done.

API Gateway does the routing and each function has one route, so no function needs a router. `make openapi`
generates the OpenAPI document from these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeVar, overload

from shared.api.cors import cors_headers
from shared.api.problems import Problem, is_our_fault, problem_of, problem_response
from shared.api.request import Request
from shared.api.response import Response
from shared.deadline import deadline_of
from shared.errors import DomainError
from shared.logs import conceal, forget, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class Input(Protocol):
    """What an endpoint takes besides its path: a body, a form or a query string."""

    is_query: ClassVar[bool]

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """


_Input = TypeVar("_Input", bound=Input)


ExtendProblem = Callable[[Problem, Exception], Problem]


def as_it_is(problem: Problem, _error: Exception) -> Problem:
    """Add nothing to a problem."""
    return problem


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
    extend_problem: ExtendProblem


class Endpoint:
    """A Lambda handler: calls a function with each request, and turns its errors into problem details."""

    def __init__(self, declaration: Declaration, respond: Callable[[Request], Response]) -> None:
        self.declaration = declaration
        self._respond = respond
        self._handle = logger.inject_lambda_context(self._answer, clear_state=True)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer an event of API Gateway's proxy integration."""
        if event.get("source") == "aws.events":
            return {}  # the weekly call that keeps the version's snapshot
        answer: dict[str, Any] = self._handle(event, context)
        return answer

    def _answer(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        request = Request(event)
        logger.set_correlation_id(request.id)
        if "user_id" in request.claims:
            logger.append_keys(user_id=request.user_id)
        forget()
        conceal(request.authorization[1])
        try:
            with deadline_of(context):
                response = self._respond(request)
        except Exception as error:
            problem = problem_of(error)
            if problem["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                logger.exception("request failed", exc_info=error)
            if is_our_fault(error):
                from shared.metrics import count  # which a request that succeeds need not import

                count("UnexpectedError")
            response = problem_response(self.declaration.extend_problem(problem, error), error)
        logger.info("answered", method=request.method, path=event["path"], status=response.status)
        headers = {**response.headers, **cors_headers(), "x-request-id": request.id}
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
    extend_problem: ExtendProblem = as_it_is,
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
    extend_problem: ExtendProblem = as_it_is,
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
    extend_problem: ExtendProblem = as_it_is,
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
        extend_problem: Adds members to the problem of an error.
    """

    def decorate(function: Callable[..., Response]) -> Endpoint:
        takes_query = bool(takes and takes.is_query) or not include_in_schema

        def respond(request: Request) -> Response:
            if not takes_query:
                request.refuse_query()
            return function(request, takes.read(request)) if takes else function(request)

        description = function.__doc__ or ""
        declared = Declaration(
            summary, tag, returns, errors, headers, takes, description, include_in_schema, extend_problem
        )
        return Endpoint(declared, respond)

    return decorate
