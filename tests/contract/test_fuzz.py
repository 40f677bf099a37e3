"""The OpenAPI document against the API: whatever is sent, the answer is one that the document promises."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.local_stack import ROOT, Client

schema = schemathesis.openapi.from_dict(json.loads((ROOT / "functions/api_docs/openapi.json").read_text()))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: Any, user: Client) -> None:
    headers = {"Authorization": str(user.session.headers["Authorization"])}
    case.call_and_validate(base_url=user.url, headers=headers, checks=CHECKS, timeout=30)
