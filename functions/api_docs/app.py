"""GET /openapi.json and GET /docs: the OpenAPI document of all functions, and Swagger UI to try it out."""

import json
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi import swagger_ui
from aws_lambda_powertools.event_handler.openapi.params import Query

from shared.http import Answer, Api, json_answer

app = Api()


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Answer:
    """Answer with the OpenAPI document."""
    return json_answer(_document(_base_path()))


@app.get("/docs", include_in_schema=False)
def docs(page_format: Annotated[Literal["html", "json"], Query(alias="format")] = "html") -> Answer:
    """Answer with Swagger UI, whole in one page; `?format=json` is where that page links to its document."""
    if page_format == "json":
        return openapi()
    return Response(
        status_code=HTTPStatus.OK, content_type="text/html; charset=utf-8", body=_page(_base_path())
    )


def _base_path() -> str:
    """Where the API's root is, as the client sees it: empty, or a stage or base path such as `/prod`."""
    request = app.current_event.request_context
    return str(request.path.rstrip("/").removesuffix(request.resource_path))


@cache
def _document(base_path: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text("utf-8"))
    document["servers"] = [{"url": base_path or "/"}]
    flow = document["components"]["securitySchemes"]["password"]["flows"]["password"]
    flow["tokenUrl"] = f"{base_path}/auth/login"
    return document


@cache
def _page(base_path: str) -> str:
    assets = Path(swagger_ui.__file__).parent
    return swagger_ui.generate_swagger_html(
        spec=json.dumps(_document(base_path)).replace("</", "<\\/"),
        swagger_js=(assets / "swagger-ui-bundle.min.js").read_text("utf-8"),
        swagger_css=(assets / "swagger-ui.min.css").read_text("utf-8"),
        swagger_base_url="",
        oauth2_config=None,
        persist_authorization=True,
    )


handler = app.handler
