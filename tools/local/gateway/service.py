"""The API: SAM CLI's routes and events, with API Gateway's answers around the functions' own."""

from __future__ import annotations

import io
import json
import time
import traceback
import uuid
import zlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Request, Response, g, request
from samcli.lib.providers.provider import Cors
from samcli.local.apigw.authorizers.lambda_authorizer import ContextIdentitySource, LambdaAuthorizer
from samcli.local.apigw.local_apigw_service import LocalApigwService
from samcli.local.apigw.route import Route
from werkzeug.exceptions import HTTPException

from tools.local.gateway import gateway_responses as kinds
from tools.local.gateway.authorizer_cache import AuthorizerCache
from tools.local.gateway.authorizers import Authorizers, Refused
from tools.local.gateway.compression import compressor, unpack
from tools.local.gateway.events import HEADER_FIELDS, Facts, complete
from tools.local.gateway.gateway_responses import GatewayResponses
from tools.local.gateway.origins import is_foreign
from tools.local.gateway.proxy_response import MalformedResponse, ProxyResponse, parse_response
from tools.local.log_entries import RequestLog, RequestLogEntry
from tools.local.runtime.output import Write
from tools.local.runtime.spec import MAX_REQUEST
from tools.local.runtime.warm import Functions
from tools.local.template import Template

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MAX_BODY = 10 * 1024 * 1024
"""Bytes of a request's body. See
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
"""


class Gateway(LocalApigwService):  # type: ignore[misc]
    """Serves the template's API."""

    def __init__(
        self,
        template: Template,
        functions: Functions,
        port: int,
        log: RequestLog,
        report: Write,
        *,
        authorizer_cache: bool = True,
        hosts: Collection[str] | None = (),
        origins: Collection[str] = (),
        routes: Blueprint | None = None,
    ) -> None:
        """Make the application.

        Args:
            template: Has the API.
            functions: Runs the functions.
            port: The port in the events of functions.
            log: Takes each request that was answered.
            report: Takes a function's name and why its answer is refused.
            authorizer_cache: Whether policies are kept for as long as the template says.
            hosts: Names that it is served at besides those of loopback; None if that is any name.
            origins: Origins from elsewhere that may use it; `*` is any.
            routes: Routes beside the API's own.
        """
        super().__init__(api=template.api, lambda_runner=functions, port=port)
        self.responses = GatewayResponses(template.gateway_responses)
        self.log = log
        self._functions = functions
        self._report = report
        self._unpacks = template.minimum_compression_size is not None
        self._hosts, self._origins = hosts, origins
        cache = AuthorizerCache() if authorizer_cache else None
        self._authorizers = Authorizers(functions, template.authorizers, cache, report)
        self.create()
        if routes:
            self._app.register_blueprint(routes)
        self._app.url_map.merge_slashes = False  # otherwise, paths with two slashes are redirected
        self._app.before_request(self._receive)
        self._app.after_request(self._log_request)
        self._app.after_request(compressor(template.minimum_compression_size))

    @property
    def application(self) -> WSGIApplication:
        """The WSGI application."""
        application: WSGIApplication = self._app.wsgi_app
        return application

    def _construct_error_handling(self) -> None:
        """Answer errors as API Gateway does; SAM CLI calls this when it makes the routes."""
        self._app.register_error_handler(HTTPException, self._http_error)
        self._app.register_error_handler(Refused, lambda refused: self._refuse(refused.kind))
        self._app.register_error_handler(Exception, self._crash)

    def _receive(self) -> Response | None:
        g.started = time.perf_counter()
        g.request_id = str(uuid.uuid4())
        if is_foreign(request.headers, self._hosts, self._origins):
            self._report(
                "gateway", "Denied a web page from elsewhere; --allow-origin names those that may pass."
            )
            return self._refuse(kinds.WAF_FILTERED)
        if (request.content_length or 0) > MAX_BODY:
            return self._refuse(kinds.REQUEST_TOO_LARGE)
        coding = request.headers.get("Content-Encoding", "identity").lower()
        try:
            if self._unpacks and request.content_length:
                body = unpack(request.environ["wsgi.input"].read(), coding, MAX_BODY)
                if len(body) > MAX_BODY:
                    return self._refuse(kinds.REQUEST_TOO_LARGE)
                request.environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
            request.get_data().decode()
        except zlib.error:
            return self._refuse(kinds.UNSUPPORTED_MEDIA_TYPE)
        except UnicodeDecodeError:
            return self._refuse(kinds.DEFAULT_4XX)
        return None

    def _request_handler(self, **_: str) -> Response:
        """Answer a request: SAM CLI makes this the view of each route."""
        route = self._route()
        if route is None:  # Flask answers HEAD wherever there is GET; API Gateway does not
            raise Refused(kinds.MISSING_AUTHENTICATION_TOKEN)
        cors = self.api.cors if route.cors is None else route.cors
        if request.method == "OPTIONS" and cors:
            headers = Cors.cors_to_headers(cors, request.headers.get("Origin"), route.event_type)
            return Response(headers=headers)
        context = self._authorize(route)
        event = self._generate_lambda_event(request, route, request.method, request.endpoint)
        if context is not None:
            event["requestContext"]["authorizer"] = context
        payload = json.dumps(event).encode()
        if len(payload) > MAX_REQUEST:
            raise Refused(kinds.REQUEST_TOO_LARGE)
        result = self._functions.invoke(route.function_name, payload)
        if result.failed:
            raise Refused(kinds.DEFAULT_5XX)
        try:
            return self._response(parse_response(result.payload))
        except MalformedResponse as error:
            self._report(route.function_name, f"Malformed Lambda proxy response: {error}")
            raise Refused(kinds.DEFAULT_5XX) from error

    def _route(self) -> Route | None:
        return self._dict_of_routes.get(self._route_key(request.method, request.endpoint))

    def _generate_lambda_event(self, _: Request, *route: Any) -> dict[str, Any]:
        # The request itself, because SAM CLI reads it fifty times, and Flask's proxy is slow.
        itself: Request = request._get_current_object()  # type: ignore[attr-defined]
        event: dict[str, Any] = super()._generate_lambda_event(itself, *route)
        fields = itself.environ.get(HEADER_FIELDS) or itself.headers.items()
        client = itself.remote_addr or ""
        complete(event, Facts(g.request_id, itself.path, client, itself.scheme, self.port, fields))
        return event

    def _authorize(self, route: Route) -> dict[str, str] | None:
        """Authorize the caller; None where the route has no authorizer."""
        authorizer = route.authorizer_object
        if not isinstance(authorizer, LambdaAuthorizer):
            return None
        sources = authorizer.identity_sources
        in_context = any(isinstance(source, ContextIdentitySource) for source in sources)
        found = {
            "headers": request.headers,
            "querystring": request.query_string.decode("latin-1"),
            "context": self._build_v1_context(route) if in_context else {},
            "stageVariables": self.api.stage_variables or {},
            "validation_expression": authorizer.validation_string,
        }
        if not all(source.is_valid(**found) for source in sources):
            raise Refused(kinds.UNAUTHORIZED)
        identity = tuple(source.find_identity_value(**found) for source in sources)
        method_arn = self._create_method_arn(request, route.event_type)
        context = self._authorizers.authorize(
            authorizer,
            identity,
            method_arn,
            lambda: self._generate_lambda_authorizer_event(request, route, authorizer),
        )
        return dict(context)

    def _response(self, answer: ProxyResponse) -> Response:
        response = Response(answer.body, status=answer.status)
        del response.headers["Content-Type"]
        for name, value in answer.headers:
            response.headers.add(name, value)
        response.headers.setdefault("Content-Type", "application/json")
        if answer.base64_encoded and self._takes_bytes(response.mimetype):
            response.set_data(answer.decoded())
        return response

    def _takes_bytes(self, mimetype: str | None) -> bool:
        """Whether the client's preferred media type is one of the API's binary types."""
        binary = set(self.api.binary_media_types)
        return "*/*" in binary or bool(binary & {mimetype, request.accept_mimetypes.best})

    def _refuse(self, kind: str) -> Response:
        answer = self.responses.make(kind, g.request_id)
        response = Response(answer.body, answer.status)
        for name, value in answer.headers.items():
            response.headers[name] = value
        return response

    def _http_error(self, error: HTTPException) -> Response:
        is_route = error.code not in {404, 405}
        return self._refuse(kinds.DEFAULT_4XX if is_route else kinds.MISSING_AUTHENTICATION_TOKEN)

    def _crash(self, error: Exception) -> Response:
        self._report("gateway", "".join(traceback.format_exception(error)).rstrip())
        return self._refuse(kinds.DEFAULT_5XX)

    def _log_request(self, response: Response) -> Response:
        route = self._route()
        if request.blueprint in self._app.blueprints:
            return response  # the call itself is logged
        self.log(
            RequestLogEntry(
                method=request.method,
                path=request.environ.get("REQUEST_URI") or request.full_path.rstrip("?"),
                status=response.status_code,
                seconds=time.perf_counter() - g.started,
                function=route.function_name if route else None,
                cache=response.headers.get("X-Cache"),
            )
        )
        return response
