"""A request, as API Gateway's proxy event has it.

See https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from shared.api.problems import MAX_ERRORS, MAX_NAME, FieldError, InvalidRequest, UnsupportedMediaType
from shared.api.response import JSON
from shared.tasks.task import Author
from shared.users.user import Identity

FORM = "application/x-www-form-urlencoded"

Values = dict[str, str | list[str]]
"""Values by name; a list where a name is repeated."""


class Request:
    """An HTTP request."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._context = event["requestContext"]
        # The lines of a repeated header are one list (RFC 9110, section 5.3).
        lines = event.get("multiValueHeaders") or {}
        self._headers = {name.lower(): ", ".join(values) for name, values in lines.items()}

    @property
    def id(self) -> str:
        """API Gateway's id of the request."""
        return str(self._context["requestId"])

    @property
    def claims(self) -> Mapping[str, str]:
        """The authorizer's context; empty on a public route."""
        return self._context.get("authorizer") or {}

    @property
    def user_id(self) -> str:
        """The id of the signed-in user.

        Raises:
            KeyError: the route is public.
        """
        return self.claims["user_id"]

    @property
    def author(self) -> Author:
        """The author of this request's writes.

        Raises:
            KeyError: the route is public.
        """
        return Author(self.claims["username"], self.id, self.claims.get("api_key_name"))

    @property
    def identity(self) -> Identity:
        """The signed-in user, whose session the users table can confirm.

        Raises:
            KeyError: the route is public.
        """
        claims = self.claims
        return Identity(claims["username"], claims["session"], claims.get("session_id"))

    @property
    def method(self) -> str:
        """The method, in upper case."""
        return str(self._event["httpMethod"])

    @property
    def route(self) -> str:
        """The path as the template has it, such as `/tasks/{task_id}`."""
        return str(self._context["resourcePath"])

    @property
    def root(self) -> str:
        """The path of the API: its stage, the base path of a custom domain, or empty.

        It is what the path has before the route. Where that is no plain path, as in `//docs`, it is the stage
        if there is one: a path that begins with two slashes would lead to another host.
        """
        path, stage = unquote(self._context["path"]).rstrip("/"), f"/{self._context['stage']}"
        route = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.route.rstrip("/")))
        if found := re.fullmatch(rf"((?:/(?!\.+/)[\w.~$+!*'()-]+)*){route}", path, re.ASCII):
            return found[1]
        return stage if path.startswith(f"{stage}/") else ""

    @property
    def api_url(self) -> str:
        """The URL of the API."""
        scheme = self._headers.get("x-forwarded-proto", "https")
        return f"{scheme}://{self._context['domainName']}{self.root}"

    @property
    def url(self) -> str:
        """The URL of the route, which has no parameters, without the query string."""
        return self.api_url + self.route

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """The values in the path, by their names in the route."""
        return self._event["pathParameters"] or {}

    def header(self, name: str) -> str | None:
        """Find a header, in any case."""
        return self._headers.get(name.lower())

    @property
    def authorization(self) -> tuple[str, str]:
        """The scheme of the header `Authorization`, in lower case, and its credentials; empty without one."""
        scheme, _, credentials = (self.header("Authorization") or "").partition(" ")
        return scheme.lower(), credentials.strip()

    @property
    def has_body(self) -> bool:
        """Whether the request has a body."""
        return bool(self._event.get("body"))

    def query(self) -> Values:
        """Read the query string."""
        return _values(self._event.get("multiValueQueryStringParameters") or {})

    def refuse_query(self) -> None:
        """Refuse the query string of an endpoint that takes none.

        Raises:
            InvalidRequest: there is one.
        """
        if unknown := self.query():
            errors: list[FieldError] = [
                {"field": name[:MAX_NAME], "message": "This endpoint has no such parameter"}
                for name in unknown
            ]
            raise InvalidRequest(errors[:MAX_ERRORS])

    def form(self) -> Values:
        """Read the body as a form.

        Raises:
            InvalidRequest: it is no form.
            UnsupportedMediaType: it is sent as something else.
        """
        text = self._text([FORM])
        try:
            return _values(parse_qs(text, errors="strict"))  # drops blank values (RFC 6749, section 3.2)
        except ValueError as error:
            raise InvalidRequest.of_body("send it in UTF-8") from error

    def json(self, media_types: Sequence[str] = (JSON,)) -> Any:
        """Read the body as JSON.

        Args:
            media_types: As what it may be sent; the first is assumed if the request does not say.

        Raises:
            InvalidRequest: it is not JSON.
            UnsupportedMediaType: it is sent as something else.
        """
        text = self._text(media_types)
        try:
            return json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise InvalidRequest.of_body(f"not valid JSON: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # too many digits or brackets
            raise InvalidRequest.of_body("not valid JSON: too large a number, or too deep") from error

    def _text(self, media_types: Sequence[str]) -> str:
        given, _, parameters = self._headers.get("content-type", media_types[0]).lower().partition(";")
        charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters)
        if given.strip() not in media_types or (charset and charset[1] not in {"utf-8", "utf8"}):
            raise UnsupportedMediaType(media_types)
        body = self._event.get("body") or ""
        if not body:
            raise InvalidRequest.of_body("Field required")
        if not self._event.get("isBase64Encoded"):
            return str(body)
        try:
            return base64.b64decode(body).decode()
        except ValueError as error:
            raise InvalidRequest.of_body("send it in UTF-8") from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; refuse repeated names, of which programs use different values (RFC 8259, section 4)."""
    values = dict(members)
    if len(values) < len(members):
        raise InvalidRequest.of_body("not valid JSON: an object has a name twice")
    return values


def _values(given: Mapping[str, list[str]]) -> Values:
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()}
