"""GET /openapi.json and GET /docs: the API's OpenAPI document, and Swagger UI to try it out."""

import json
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

from aws_lambda_powertools import PACKAGE_PATH

from shared.api.conditional import unless_unchanged, weak_etag
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import JSON, Response, to_json

SWAGGER_UI = PACKAGE_PATH / "event_handler/openapi/swagger_ui"
"""Swagger UI's own files, which Powertools brings along."""


@endpoint(
    "Read this document",
    tag="Documentation",
    returns=[Returns(HTTPStatus.OK, "The document, or a page to read it and to try it out.")],
    include_in_schema=False,
)
def handler(request: Request) -> Response:
    """Read the API's documentation."""
    if request.route == "/openapi.json":
        # Whole, because programs that read it elsewhere must find the API.
        body, content_type = to_json(_document(request.api_url)), JSON
    else:
        # A path, because the page can be behind another host's name than the API knows.
        body, content_type = _page(request.root), "text/html; charset=utf-8"
    headers = {"ETag": weak_etag(body), "Cache-Control": "no-cache"}  # cached, and revalidated each time
    response = Response(body=body, content_type=content_type, headers=headers)
    return unless_unchanged(response, request.header("If-None-Match"))


@lru_cache(maxsize=8)
def _document(root: str) -> dict[str, Any]:
    """Read the document; `root` is the URL or the path of the API, such as `/prod`, or empty."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text("utf-8"))
    document["servers"][0]["url"] = root or "/"
    flow = document["components"]["securitySchemes"]["password"]["flows"]["password"]
    flow["tokenUrl"] = f"{root}/auth/login"
    return document


@lru_cache(maxsize=8)
def _page(root: str) -> str:
    return Template(Path(__file__).with_name("docs.html").read_text("utf-8")).substitute(
        style=(SWAGGER_UI / "swagger-ui.min.css").read_text("utf-8"),
        script=(SWAGGER_UI / "swagger-ui-bundle.min.js").read_text("utf-8"),
        document=json.dumps(_document(root)).replace("</", "<\\/"),
        url=json.dumps(f"{root}/openapi.json"),
    )
