"""Builds the OpenAPI document from the template's routes, the functions' decorators, and their models."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args, get_origin

from botocore.exceptions import BotoCoreError

from shared.api.endpoint import Handler, Returns
from shared.api.idempotency import KEY_PATTERN
from shared.api.models import Body, Form, Query
from shared.api.problems import (
    HEADERS,
    MEDIA_TYPE,
    InvalidRequest,
    Problem,
    UnsupportedMediaType,
    phrase,
    problem_of,
)
from shared.api.response import JSON
from tools.local.backends.environment import ENVIRONMENT
from tools.local.template import Template
from tools.openapi.schemas import Schemas

_DESCRIPTION = (
    "Tasks for a team: all signed-in users work on the same list. "
    "To start, sign up at POST /auth/create, sign in with the Authorize button, and create a task."
)
_TAGS = {
    "Users": "Sign-up, sign-in, and API keys for programs.",
    "Tasks": "The list of tasks that all users share.",
    "Trash": "Deleted tasks, which you can restore.",
    "Webhooks": "URLs that the API calls when a task changes or becomes due.",
}
_HEADERS = {
    "Cache-Control": "`no-store`, because caches must not store tokens.",
    "ETag": "The entity tag of the response, for If-None-Match; a task's also for If-Match.",
    "Idempotency-Replayed": "`true` when an earlier request with this key created the task.",
    "Link": 'The next page as `<URL>; rel="next"`, if there is one (RFC 8288).',
    "Location": "The URL of the new task.",
    "Pragma": "`no-cache`, for HTTP/1.0 caches.",
    "Retry-After": "Seconds to wait before the next attempt.",
    "WWW-Authenticate": "`Bearer`.",
    "x-request-id": "The request's id, which also appears in the logs.",
    "X-Cache": "`hit` if the page came from the cache, `miss` if it did not, `off` without a cache.",
}
_ENTITY_TAG = r'(W/)?"[!#-~\u0080-\u00ff]*"'
_REQUEST_HEADERS = {
    "Idempotency-Key": (
        "A unique key of your choice, such as a UUID, with which you can safely repeat this request.",
        {"type": "string", "pattern": KEY_PATTERN},
    ),
    "If-Match": (
        "Act only if the task still has one of these entity tags; `*` matches any.",
        {"type": "string", "pattern": rf"^(\*|{_ENTITY_TAG}([ \t]*,[ \t]*{_ENTITY_TAG})*)$"},
    ),
    # No pattern: an invalid entity tag matches nothing, and is ignored.
    "If-None-Match": (
        "Respond with 304 if the response still has one of these entity tags.",
        {"type": "string"},
    ),
}
_CONDITIONS = {"If-Match", "If-None-Match"}
_PATH_PARAMETERS = {  # UUIDs
    "key_id": "The id of the API key.",
    "task_id": "The id of the task.",
    "webhook_id": "The id of the webhook.",
}

# API Gateway's own responses to any request: the status, and the gateway response of the template.
_GATEWAY_RESPONSES = {
    HTTPStatus.BAD_REQUEST: "DEFAULT_4XX",
    HTTPStatus.UNAUTHORIZED: "UNAUTHORIZED",
    HTTPStatus.TOO_MANY_REQUESTS: "THROTTLED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "DEFAULT_5XX",
    HTTPStatus.GATEWAY_TIMEOUT: "INTEGRATION_TIMEOUT",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "REQUEST_TOO_LARGE",
}
_PROBLEM_HEADERS = {
    HTTPStatus.UNAUTHORIZED: ["WWW-Authenticate"],
    HTTPStatus.TOO_MANY_REQUESTS: ["Retry-After"],
    **{status: list(headers) for status, headers in HEADERS.items()},
}


@dataclass(frozen=True)
class Operation:
    """An endpoint at one of its routes."""

    id: str
    method: str
    path: str
    is_public: bool
    handler: Handler


def build_document(template: Template) -> dict[str, Any]:
    """Build the document of a template's API."""
    operations = sorted(_operations(template), key=_tag)
    schemas = _schemas(operations)
    shared = dict(_shared_responses(template, schemas))
    project = tomllib.loads((template.root / "pyproject.toml").read_text("utf-8"))["project"]
    paths: dict[str, Any] = {}
    for operation in operations:
        described = _describe(operation, operations, schemas, shared)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Task API",
            "description": _DESCRIPTION,
            "version": project["version"],
            "contact": {"name": "The team that runs this API"},
            **_license(project.get("license")),
        },
        "servers": [{"url": "http://127.0.0.1:3000", "description": "The API that serves this document."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "headers": {
                name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
            },
            "responses": {_name(status): response for status, response in sorted(shared.items())},
            "securitySchemes": {
                "password": {
                    "type": "oauth2",
                    "description": "Your username and password.",
                    "flows": {"password": {"scopes": {}, "tokenUrl": "/auth/login"}},
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token from POST /auth/login.",
                },
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "tsk_…",
                    "description": "An API key from POST /auth/keys, for programs.",
                },
            },
        },
    }


def _license(identifier: str | None) -> dict[str, Any]:
    return {"license": {"name": identifier, "identifier": identifier}} if identifier else {}


def _operations(template: Template) -> Iterator[Operation]:
    """Find the operations, in the order of their functions in the template."""
    order = list(template.resources)
    for route in sorted(template.api.routes, key=lambda route: order.index(route.function_name)):
        function = template.functions.get(route.function_name)
        name = Path(function.codeuri).name
        variables = {name: str(value) for name, value in function.environment["Variables"].items()}
        os.environ.update({**variables, **ENVIRONMENT, "REDIS_URL": ""})
        handler: Handler = importlib.import_module(f"functions.{name}.app").handler
        if handler.declared.include_in_schema:
            (method,) = (method for method in route.methods if method != "OPTIONS")
            yield Operation(name, method, route.path, route.authorizer_object is None, handler)


def _tag(operation: Operation) -> int:
    """Sort by tag, in the order of `_TAGS`."""
    return list(_TAGS).index(operation.handler.declared.tag)


def _schemas(operations: Iterable[Operation]) -> Schemas:
    handlers = [each.handler for each in operations]
    models = dict.fromkeys(each.takes for each in handlers if each.takes)
    returned = itertools.chain.from_iterable(each.declared.returns for each in handlers)
    documents = dict.fromkeys(_item(each.document) for each in returned if each.document)
    return Schemas(list(models), [*documents, Problem])  # type: ignore[arg-type]


def _item(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _shared_responses(template: Template, schemas: Schemas) -> Iterator[tuple[HTTPStatus, dict[str, Any]]]:
    """Describe the problems that any route can respond with."""
    for status, response_type in _GATEWAY_RESPONSES.items():
        text = template.gateway_responses[response_type]["ResponseTemplates"][JSON]
        yield status, _problem(schemas, status, {"problem": json.loads(text)})
    unknown = InvalidRequest([{"field": "color", "message": "This endpoint has no such parameter"}])
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    yield status, _problem(schemas, status, {"InvalidRequest": problem_of(unknown)})
    status = HTTPStatus.SERVICE_UNAVAILABLE
    yield status, _problem(schemas, status, {"problem": problem_of(BotoCoreError())})


def _describe(
    operation: Operation,
    operations: Iterable[Operation],
    schemas: Schemas,
    shared: dict[HTTPStatus, dict[str, Any]],
) -> dict[str, Any]:
    handler, declared = operation.handler, operation.handler.declared
    described: dict[str, Any] = {
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": " ".join(inspect.cleandoc(handler.description).split()),
        "operationId": operation.id,
        "security": [{name: []} for name in _schemes(operation)],
    }
    if parameters := list(_parameters(operation, schemas)):
        described["parameters"] = parameters
    if handler.takes and issubclass(handler.takes, Body | Form):
        schema = {"schema": schemas.reference(handler.takes)}
        content = dict.fromkeys(handler.takes.media_types, schema)
        is_required = not (issubclass(handler.takes, Body) and handler.takes.is_optional)
        described["requestBody"] = {"content": content, "required": is_required}
    responses: dict[HTTPStatus, dict[str, Any]] = {
        status: {"$ref": f"#/components/responses/{_name(status)}"}
        for status in shared
        if not (operation.is_public and status == HTTPStatus.UNAUTHORIZED)
        and ("requestBody" in described or status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    }
    responses |= {each.status: _success(each, schemas) for each in declared.returns}
    for returned in declared.returns:
        if links := dict(_links(operation, returned, operations)):
            responses[returned.status]["links"] = links
    responses |= _problems(operation, schemas)
    if operation.is_public and HTTPStatus.UNAUTHORIZED in responses:
        # API Gateway does not let functions set this header.
        del responses[HTTPStatus.UNAUTHORIZED]["headers"]["WWW-Authenticate"]
    described["responses"] = {str(int(status)): responses[status] for status in sorted(responses)}
    return described


def _parameters(operation: Operation, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        schema = {"type": "string"} | ({"format": "uuid"} if name in _PATH_PARAMETERS else {})
        yield {
            "name": name,
            "in": "path",
            "description": _PATH_PARAMETERS.get(name, f"The {name.replace('_', ' ')}."),
            "required": True,
            "schema": schema,
        }
    takes = operation.handler.takes
    if takes and issubclass(takes, Query):
        for name, schema in schemas.take_properties(takes).items():
            yield {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
    for name in operation.handler.declared.headers:
        description, header_schema = _REQUEST_HEADERS[name]
        yield {"name": name, "in": "header", "description": description, "schema": header_schema}


def _success(returned: Returns, schemas: Schemas) -> dict[str, Any]:
    response = {"description": returned.description, "headers": _headers(returned.headers)}
    if returned.document:
        response["content"] = {JSON: {"schema": schemas.reference(returned.document)}}
    return response


def _links(
    operation: Operation, returned: Returns, operations: Iterable[Operation]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Describe possible next requests: those that take the returned id, and a sign-in after a sign-up."""
    is_list = get_origin(returned.document) is list
    name = getattr(_item(returned.document), "__name__", "").removesuffix("Document").lower()
    for target in operations:
        link: dict[str, Any] = {"operationId": target.id}
        if f"{{{name}_id}}" in target.path:
            link["parameters"] = {f"{name}_id": "$response.body#/0/id" if is_list else "$response.body#/id"}
            if "ETag" in returned.headers and not is_list:
                conditions = [header for header in target.handler.declared.headers if header in _CONDITIONS]
                link["parameters"] |= {f"header.{each}": "$response.header.ETag" for each in conditions}
            yield target.id, link
        elif _can_send_body_of(operation, target):
            yield target.id, {**link, "requestBody": "$request.body"}


def _can_send_body_of(operation: Operation, target: Operation) -> bool:
    """Whether an operation's body has the required fields of another operation's form."""
    given, asked = operation.handler.takes, target.handler.takes
    if not (given and asked and issubclass(given, Body) and issubclass(asked, Form)):
        return False
    schema = asked.model_json_schema()
    usual = schema.get("else", schema)
    return set(usual["required"]) <= given.model_fields.keys()


def _schemes(operation: Operation) -> list[str]:
    """Alternative security schemes of an operation."""
    if operation.is_public:
        return []
    return ["password", "token", *([] if operation.handler.declared.for_people else ["key"])]


def _problems(operation: Operation, schemas: Schemas) -> dict[HTTPStatus, dict[str, Any]]:
    """Describe the problems of one operation, with examples from its own code."""
    handler = operation.handler
    errors: list[Exception] = list(handler.declared.errors)
    if not operation.is_public and (refusal := handler.refusal("read", operation.method)):
        errors.append(refusal)
    if handler.takes:
        errors.append(_invalid(handler.takes))
        if issubclass(handler.takes, Body | Form):
            errors.append(UnsupportedMediaType(handler.takes.media_types))
    examples: dict[HTTPStatus, dict[str, Problem]] = {}
    for error in errors:
        problem = handler.declared.extend_problem(problem_of(error), error)
        examples.setdefault(HTTPStatus(problem["status"]), {})[type(error).__name__] = problem
    return {status: _problem(schemas, status, each) for status, each in examples.items()}


def _invalid(takes: Any) -> InvalidRequest:
    """Produce the endpoint's error for an empty first field."""
    field = next(iter(takes.model_fields))
    try:
        takes.parse({**_example(takes), field: ""})
    except InvalidRequest as error:
        return error
    raise AssertionError(f"{takes.__name__} accepts an empty {field}")


def _example(takes: Any) -> dict[str, Any]:
    examples = takes.model_config.get("json_schema_extra", {}).get("examples", [{}])
    return dict(examples[0])


def _problem(schemas: Schemas, status: HTTPStatus, examples: dict[str, Any]) -> dict[str, Any]:
    content = {
        "schema": schemas.reference(Problem),
        "examples": {name: {"value": problem} for name, problem in examples.items()},
    }
    headers = _headers(_PROBLEM_HEADERS.get(status, []))
    return {"description": phrase(status), "headers": headers, "content": {MEDIA_TYPE: content}}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in [*names, "x-request-id"]}


def _name(status: HTTPStatus) -> str:
    return phrase(status).title().replace(" ", "")
