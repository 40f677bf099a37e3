"""The endpoint decorator: declares what an endpoint takes, returns and raises.

API Gateway does the routing and each function has one route, so no function needs a router. `make openapi`
generates the OpenAPI document from these declarations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from shared.api.cors import cors_headers
from shared.api.problems import Problem, is_our_fault, problem_of, problem_response
from shared.api.request import Request
from shared.api.response import Response
from shared.deadline import deadline_of
from shared.errors import DomainError, InsufficientScope
from shared.event_sources import REST_API, SCHEDULE, expect
from shared.logs import conceal, forget, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class Input(Protocol):
    """The input of an endpoint besides its path: a body, a form or a query string."""

    is_query: ClassVar[bool]

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """


class Returns(NamedTuple):
    """A successful response of an endpoint."""

    status: HTTPStatus
    description: str
    document: Any = None
    """The type of its JSON document, if it has one."""
    headers: Sequence[str] = ()
    """Names of its headers."""


@dataclass(frozen=True)
class endpoint:  # noqa: N801 (a decorator)
    """Turns a function into the handler of an endpoint.

    The function takes the request and, if it has a second parameter, the model of a body, a form or a query
    string that annotates it. Its docstring is the description in the OpenAPI document.
    """

    summary: str
    """A short summary of the operation."""
    _: KW_ONLY
    tag: str
    """The group of endpoints that it belongs to."""
    returns: Sequence[Returns]
    """Its successful responses."""
    errors: Sequence[DomainError] = ()
    """An example of each error that the function can raise."""
    headers: Sequence[str] = ()
    """Names of the request headers that it reads."""
    for_people: bool = False
    """Whether it wants the token of a person, and refuses API keys."""
    include_in_schema: bool = True
    """Whether the OpenAPI document has it."""
    extend_problem: Callable[[Problem, Exception], Problem] = lambda problem, _error: problem
    """Adds members to the problem of an error."""

    def __call__(self, function: Callable[..., Response]) -> Handler:
        """Decorate a function."""
        return Handler(self, function)


class Handler:
    """A Lambda handler: calls a function with each request, and turns its errors into problem details."""

    def __init__(self, declared: endpoint, function: Callable[..., Response]) -> None:
        self.declared = declared
        self.description = function.__doc__ or ""
        _, *inputs = inspect.signature(function, eval_str=True).parameters.values()
        self.takes: type[Input] | None = inputs[0].annotation if inputs else None
        self._function = function
        self._handle = logger.inject_lambda_context(self._answer, clear_state=True)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer an event of API Gateway's proxy integration.

        Raises:
            UnexpectedEvent: it is another kind of event.
        """
        if expect(event, REST_API, SCHEDULE) == SCHEDULE:
            return {}  # a weekly call keeps the version's snapshot from expiring
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
            response = self._problem(error)
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

    def _respond(self, request: Request) -> Response:
        scope = request.claims.get("scope")  # only API keys have one
        if scope is not None and (refusal := self.refusal(scope, request.method)):
            raise refusal
        if not (self.takes and self.takes.is_query):
            request.refuse_query()
        return self._function(request, self.takes.read(request)) if self.takes else self._function(request)

    def refusal(self, scope: str, method: str) -> InsufficientScope | None:
        """The reason why an API key with a scope may not call this; None if it may."""
        if self.declared.for_people:
            return InsufficientScope("API keys are not for this endpoint. Sign in at /auth/login.")
        if scope != "write" and method != "GET":
            return InsufficientScope(f"The scope of this API key is {scope}, and this needs write.")
        return None

    def _problem(self, error: Exception) -> Response:
        problem = problem_of(error)
        if problem["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.exception("request failed", exc_info=error)
        if is_our_fault(error):
            from shared.metrics import count  # imported only for failures

            count("UnexpectedError")
        return problem_response(self.declared.extend_problem(problem, error), error)
