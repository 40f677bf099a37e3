"""`make openapi`: writes the API's document.

Routes, and which of them want a token, are the template's; requests are what `shared.schemas` takes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from local.template import Template, load_template
from openapi.bodies import FieldError, Problem, TaskDocument, TokenDocument, UserDocument
from openapi.operations import OPERATIONS, Operation
from shared.schemas import RequestSchema

DOCUMENT = Path("functions/api_docs/openapi.json")
_REFERENCE = "#/components/schemas/{model}"


def describe(template: Template) -> dict[str, Any]:
    """Describe the API that a template has."""
    paths: dict[str, Any] = {}
    for route in sorted(template.api.routes, key=lambda route: (route.path, route.methods)):
        function = template.functions.get(route.function_name)
        name = Path(function.codeuri).name
        if operation := OPERATIONS.get(name):
            described = _describe(name, operation, route.path)
            if route.authorizer_object:
                described["security"] = [{"password": []}]
            paths.setdefault(route.path, {})[route.methods[0].lower()] = described
    bodies: list[type[BaseModel]] = [TaskDocument, UserDocument, TokenDocument, Problem, FieldError]
    _, schemas = models_json_schema([(body, "validation") for body in bodies], ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Task API",
            "description": "Tasks for a team. All signed-in users work on the same list.",
            "version": "1.0.0",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "Tasks"}, {"name": "Users"}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "password": {
                    "type": "oauth2",
                    "description": "Sign up at POST /auth/create, then sign in here "
                    "with the username and the password.",
                    "flows": {"password": {"scopes": {}, "tokenUrl": "/auth/login"}},
                }
            },
        },
    }


def _describe(name: str, operation: Operation, path: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": name,
    }
    parameters = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string"}}
        for each in re.findall(r"{(\w+)}", path)
    ]
    if operation.query:
        for parameter, schema in _json_schema(operation.query)["properties"].items():
            description = {"description": schema.pop("description")} if "description" in schema else {}
            parameters.append({"name": parameter, "in": "query", **description, "schema": schema})
    if operation.header:
        parameters.append({"name": operation.header, "in": "header", "schema": {"type": "string"}})
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        content = {operation.media_type: {"schema": _json_schema(operation.body)}}
        described["requestBody"] = {"content": content, "required": True}
    described["responses"] = dict(sorted(operation.responses.items()))
    return described


class _Schemas(GenerateJsonSchema):
    """What JSON has: one kind of number, and no default for what is absent without one."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "number", "minimum": int(schema["ge"]), "maximum": int(schema["le"])}

    def default_schema(self, schema: Any) -> dict[str, Any]:
        described = super().default_schema(schema)
        if described.get("default", ...) is None:
            del described["default"]
        return described


def _json_schema(schema: RequestSchema) -> dict[str, Any]:
    return _Schemas(ref_template=_REFERENCE).generate(schema.core_schema)


def main() -> None:
    """Write the document, or with `--check` tell whether it is the one that would be written."""
    parser = argparse.ArgumentParser(prog="make openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the document is stale")
    check = parser.parse_args().check
    template = load_template(Path("template.yaml"), {})
    path = template.root / DOCUMENT
    document = json.dumps(describe(template), indent=2, ensure_ascii=False) + "\n"
    if not check:
        path.write_text(document, encoding="utf-8")
        print(f"wrote {DOCUMENT}")
    elif not path.exists() or path.read_text("utf-8") != document:
        sys.exit(f"{DOCUMENT} is stale: run 'make openapi' and commit it")


if __name__ == "__main__":
    main()
