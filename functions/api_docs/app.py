"""GET /openapi.json and GET /docs: the OpenAPI document of all functions, and Swagger UI to try it out."""

import json
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from aws_lambda_powertools import PACKAGE_PATH

from shared.http import Answer, Request, http_handler, json_answer
from shared.schemas import DOCS_QUERY

SWAGGER_UI = PACKAGE_PATH / "event_handler/openapi/swagger_ui"
"""Swagger UI's own files, which Powertools brings along."""


@http_handler
def handler(request: Request) -> Answer:
    """Answer with the document, or with Swagger UI, whole in one page.

    `/docs?format=json` is where that page links to its document.
    """
    base_path = request.path.removesuffix(request.route)
    if request.route == "/openapi.json" or request.query(DOCS_QUERY)["format"] == "json":
        return json_answer(_document(base_path))
    return Answer(body=_page(base_path), content_type="text/html; charset=utf-8")


@cache
def _document(base_path: str) -> dict[str, Any]:
    """Read the document; `base_path` is where the API's root is, such as `/prod`, or empty."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text("utf-8"))
    document["servers"] = [{"url": base_path or "/"}]
    flow = document["components"]["securitySchemes"]["password"]["flows"]["password"]
    flow["tokenUrl"] = f"{base_path}/auth/login"
    return document


@cache
def _page(base_path: str) -> str:
    return Template(Path(__file__).with_name("docs.html").read_text("utf-8")).substitute(
        style=(SWAGGER_UI / "swagger-ui.min.css").read_text("utf-8"),
        script=(SWAGGER_UI / "swagger-ui-bundle.min.js").read_text("utf-8"),
        document=json.dumps(_document(base_path)).replace("</", "<\\/"),
    )
