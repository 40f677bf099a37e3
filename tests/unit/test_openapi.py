"""The OpenAPI document: up to date, complete, and true to the contract."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.expected import CONTRACT
from tests.local_stack import ROOT
from tests.template import ROUTES

DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/api_docs/openapi.json").read_text())
COMPONENTS = DOCUMENT["components"]
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
ANY_ROUTE = {"400", "429", "500", "503", "504"}
each_operation = pytest.mark.parametrize(
    "operation", OPERATIONS.values(), ids=lambda operation: str(operation["operationId"])
)


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """Resolve a reference; returns anything else unchanged."""
    if "$ref" not in part:
        return part
    kind, name = re.fullmatch(r"#/components/(\w+)/([\w-]+)", part["$ref"]).groups()  # type: ignore[union-attr]
    found: dict[str, Any] = COMPONENTS[kind][name]
    return found


def fields_of(operation: dict[str, Any]) -> set[str]:
    """The names of the parameters and body fields of an operation."""
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        names |= resolve(content["schema"])["properties"].keys()
    return names


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from parts(each)


def test_the_document_is_up_to_date() -> None:
    command = [sys.executable, "-m", "tools.openapi", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_every_route_documents_its_statuses() -> None:
    assert {key: set(operation["responses"]) for key, operation in OPERATIONS.items()} == {
        key: statuses | ANY_ROUTE | ({"413"} if "415" in statuses else set())
        for key, statuses in CONTRACT.items()
    }


@each_operation
def test_problems_have_the_problem_schema_and_fitting_examples(operation: Any) -> None:
    for status, response in operation["responses"].items():
        is_own = "$ref" not in response
        if int(status) >= 400:
            (content,) = resolve(response)["content"].items()
            assert content[0] == "application/problem+json"
            assert content[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
            for example in content[1]["examples"].values():
                assert example["value"]["status"] == int(status)
                wrong = {error["field"] for error in example["value"].get("errors", [])}
                assert not is_own or wrong <= fields_of(operation) | {"body"}


@each_operation
def test_every_part_of_the_document_is_described(operation: Any) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert {tag["name"] for tag in DOCUMENT["tags"]} >= set(operation["tags"])
    for parameter in operation.get("parameters", []):
        assert parameter["description"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        model = resolve(content["schema"])
        assert model["description"]
        for field in model["properties"].values():
            assert field["description"]


def test_guarded_routes_and_only_those_require_a_token() -> None:
    public = {(route.method, route.path) for route in ROUTES if route.public}
    for key, operation in OPERATIONS.items():
        schemes = {name for each in operation["security"] for name in each}
        assert schemes - {"key"} == (set() if key in public else {"password", "token"})
        assert ("key" in schemes) == (key not in public and not key[1].startswith(("/auth/", "/webhooks")))


def test_every_component_is_used_and_every_reference_resolves() -> None:
    used = {part["$ref"] for part in parts(DOCUMENT) if "$ref" in part}
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("headers", "schemas", "responses")
        for name in COMPONENTS[kind]
    }
    assert used == there


def test_a_task_is_linked_to_its_operations() -> None:
    links = OPERATIONS["POST", "/tasks"]["responses"]["201"]["links"]
    assert {"get_task", "update_task", "delete_task"} <= set(links)
    assert links["delete_task"] == {
        "operationId": "delete_task",
        "parameters": {"task_id": "$response.body#/id", "header.If-Match": "$response.header.ETag"},
    }
    first = OPERATIONS["GET", "/tasks"]["responses"]["200"]["links"]["get_task"]
    assert first["parameters"] == {"task_id": "$response.body#/0/id"}


def test_signing_up_is_linked_to_signing_in() -> None:
    links = OPERATIONS["POST", "/auth/create"]["responses"]["201"]["links"]
    assert links == {"login": {"operationId": "login", "requestBody": "$request.body"}}
