"""The OpenAPI document: fresh, and true to the contract."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from shared.errors import DomainError
from shared.http import STATUS_OF_ERROR
from tests.expected import CONTRACT
from tests.local_stack import ROOT
from tests.template import ROUTES

DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/api_docs/openapi.json").read_text())
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
ANY_ROUTE = {"400", "429", "500", "503"}


def test_it_is_fresh() -> None:
    command = [sys.executable, "-m", "openapi", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_every_route_documents_its_statuses() -> None:
    assert {key: set(operation["responses"]) for key, operation in OPERATIONS.items()} == {
        key: statuses | ANY_ROUTE for key, statuses in CONTRACT.items()
    }


@pytest.mark.parametrize(
    "operation", OPERATIONS.values(), ids=lambda operation: str(operation["operationId"])
)
def test_problems_have_the_problem_schema_and_an_example(operation: Any) -> None:
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            (content,) = response["content"].items()
            assert content[0] == "application/problem+json"
            assert content[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
            example = content[1]["examples"]["problem"]["value"]
            assert example["status"] == int(status)


def test_what_the_template_guards_wants_a_token_and_nothing_else_does() -> None:
    public = {(route.method, route.path) for route in ROUTES if route.public}
    assert {key for key, operation in OPERATIONS.items() if "security" not in operation} == (
        public & OPERATIONS.keys()
    )
    assert all(o["security"] == [{"password": []}] for o in OPERATIONS.values() if "security" in o)
    assert (
        DOCUMENT["components"]["securitySchemes"]["password"]["flows"]["password"]["tokenUrl"]
        == "/auth/login"
    )


def test_every_error_of_the_domain_has_a_status() -> None:
    """All but the authorizer's: a bad token is a policy that denies."""
    assert {error.__name__ for error in DomainError.__subclasses__()} == {
        *(error.__name__ for error in STATUS_OF_ERROR),
        "InvalidToken",
    }
