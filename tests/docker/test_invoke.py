"""Each function without a route, in Lambda's container, with its sample event in `events/`."""

from __future__ import annotations

import json

import pytest

from tests.local_stack import Stack
from tests.optional import needs_docker, needs_lambda_python
from tests.sam_cli import sam
from tests.template import TEMPLATE, Function, functions_of

pytestmark = [needs_docker, needs_lambda_python]
FUNCTIONS = [function for function in functions_of(TEMPLATE).values() if not function.routes]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_accepts_its_sample_event(stack: Stack, function: Function) -> None:
    command = ["local", "invoke", function.logical_id, "--event", f"events/{function.name}.json"]
    answer = json.loads(sam(*command)) or {}
    assert "errorType" not in answer
    assert not answer.get("batchItemFailures")
