"""Responses of API Gateway's own, in the template's words where it has any.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_4XX = "DEFAULT_4XX"
DEFAULT_5XX = "DEFAULT_5XX"
ACCESS_DENIED = "ACCESS_DENIED"
AUTHORIZER_CONFIGURATION_ERROR = "AUTHORIZER_CONFIGURATION_ERROR"
AUTHORIZER_FAILURE = "AUTHORIZER_FAILURE"
MISSING_AUTHENTICATION_TOKEN = "MISSING_AUTHENTICATION_TOKEN"  # noqa: S105 (a route that does not exist)
REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
UNAUTHORIZED = "UNAUTHORIZED"
UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
WAF_FILTERED = "WAF_FILTERED"

# API Gateway's own status and message of each type.
_OWN: Mapping[str, tuple[int, str]] = {
    ACCESS_DENIED: (403, "User is not authorized to access this resource"),
    AUTHORIZER_CONFIGURATION_ERROR: (500, "Internal server error"),
    AUTHORIZER_FAILURE: (500, "Internal server error"),
    DEFAULT_4XX: (400, "Bad request"),
    DEFAULT_5XX: (502, "Internal server error"),  # a function failed, or its response is malformed
    MISSING_AUTHENTICATION_TOKEN: (403, "Missing Authentication Token"),
    REQUEST_TOO_LARGE: (413, "Request Entity Too Large"),
    UNAUTHORIZED: (401, "Unauthorized"),
    UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported Media Type"),
    WAF_FILTERED: (403, "Forbidden"),
}
_VARIABLE = re.compile(r"\$context\.([\w.]+)")


@dataclass(frozen=True)
class GatewayResponse:
    """A response of API Gateway's own."""

    status: int
    headers: Mapping[str, str]
    body: str


class GatewayResponses:
    """The gateway responses of an API."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """Take the property `GatewayResponses` of an `AWS::Serverless::Api`."""
        self._properties = properties

    def make(self, kind: str, request_id: str, status: int | None = None) -> GatewayResponse:
        """Make the response of a type.

        Args:
            kind: One of the types above.
            request_id: The request's id, which a template can put into headers and body.
            status: The status where the template says none; API Gateway's own when None.
        """
        own_status, message = _OWN[kind]
        own_status = status or own_status
        default: Mapping[str, Any] = self._properties.get(
            DEFAULT_4XX if own_status < 500 else DEFAULT_5XX, {}
        )
        # If the template lacks a type, the default of its class applies, also its status.
        properties: Mapping[str, Any] = self._properties.get(kind, default)
        context = {
            "requestId": request_id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": kind,
        }
        body = json.dumps({"message": message})
        for template in properties.get("ResponseTemplates", {}).values():
            body = _VARIABLE.sub(lambda match: context.get(match[1], ""), template)
        headers = {"Content-Type": "application/json"}
        for name, value in properties.get("ResponseParameters", {}).get("Headers", {}).items():
            source, _, variable = str(value).partition(".")
            headers[name] = context.get(variable, "") if source == "context" else str(value).strip("'")
        chosen = properties.get("StatusCode") or default.get("StatusCode") or own_status
        return GatewayResponse(int(chosen), headers, body)
