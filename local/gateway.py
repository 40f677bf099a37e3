"""API Gateway on this machine: SAM CLI's service, the template's gateway responses and a request log."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.local.apigw.local_apigw_service import LocalApigwService
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from local.template import Template

# The messages that SAM CLI answers itself with, and the types that API Gateway gives these responses. See
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
_RESPONSE_TYPES = {
    "Missing Authentication Token": "MISSING_AUTHENTICATION_TOKEN",
    "Unauthorized": "UNAUTHORIZED",
    "User is not authorized to access this resource": "ACCESS_DENIED",
    "Internal server error": "DEFAULT_5XX",
    "No function defined for resource method": "DEFAULT_5XX",
}

_LONGEST_MESSAGE = 200
"""Bytes; a longer body is a function's."""


@dataclass(frozen=True)
class RequestLogEntry:
    """A request that was answered."""

    method: str
    path: str
    status: int
    seconds: float
    function: str | None
    """The function of the route; None when there is no such route."""
    cache: str | None
    """What the answer says of the cache, if anything."""


class Gateway(LocalApigwService):  # type: ignore[misc]
    """Serves the template's API."""

    def __init__(
        self, template: Template, runner: LocalLambdaRunner, port: int, log: Callable[[RequestLogEntry], None]
    ) -> None:
        super().__init__(api=template.api, lambda_runner=runner, port=port)
        self._gateway_responses = template.gateway_responses
        self._log = log
        self.create()
        self._app.before_request(self._receive)
        # Flask calls these in the reverse order.
        self._app.after_request(self._log_request)
        self._app.after_request(self._apply_gateway_response)

    def listen(self, host: str, socket: int) -> BaseWSGIServer:
        """Make the server on a socket that is bound and listens; `serve_forever` runs it."""
        return make_server(
            host, self.port, self._app, threaded=True, request_handler=_RequestHandler, fd=socket
        )

    def _receive(self) -> Response | None:
        g.started = time.perf_counter()
        try:
            request.get_data().decode()
        except UnicodeDecodeError:
            return self._gateway_response("DEFAULT_4XX", Response(status=400))
        return None

    def _generate_lambda_event(self, *arguments: Any) -> dict[str, Any]:
        """Give each request an id of its own: SAM CLI makes one when it starts, and keeps it."""
        event: dict[str, Any] = super()._generate_lambda_event(*arguments)
        event["requestContext"]["requestId"] = str(uuid.uuid4())
        return event

    def _apply_gateway_response(self, response: Response) -> Response:
        """Answer as the template says where SAM CLI answered in API Gateway's stead."""
        message = _sole_message(response)
        kind = _RESPONSE_TYPES.get(message) if message else None
        return self._gateway_response(kind, response) if kind else response

    def _gateway_response(self, kind: str, default: Response) -> Response:
        properties: Mapping[str, Any] = self._gateway_responses.get(kind, {})
        if not properties:
            return default
        response = Response(status=int(properties["StatusCode"]))
        for body in properties.get("ResponseTemplates", {}).values():
            response.set_data(body)
        for name, value in properties.get("ResponseParameters", {}).get("Headers", {}).items():
            response.headers[name] = str(uuid.uuid4()) if value == "context.requestId" else value.strip("'")
        return response

    def _log_request(self, response: Response) -> Response:
        route = self._dict_of_routes.get(self._route_key(request.method, request.endpoint))
        self._log(
            RequestLogEntry(
                method=request.method,
                path=request.full_path.rstrip("?"),
                status=response.status_code,
                seconds=time.perf_counter() - g.started,
                function=route.function_name if route else None,
                cache=response.headers.get("X-Cache"),
            )
        )
        return response


def _sole_message(response: Response) -> str | None:
    """The message of a JSON body that has nothing else, as API Gateway's own have."""
    if response.mimetype != "application/json" or (response.content_length or 0) > _LONGEST_MESSAGE:
        return None
    body = response.get_json(silent=True)
    return body["message"] if isinstance(body, dict) and body.keys() == {"message"} else None


class _RequestHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits for the client's delayed acknowledgement
    timeout = 75
    """Seconds for which an idle connection is kept, as API Gateway does."""

    def log_request(self, *_: object) -> None:
        """Say nothing here: the gateway logs requests with their function and duration."""
