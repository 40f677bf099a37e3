"""Every function in Lambda's container, with its event in `events/`, against the local backends."""

from __future__ import annotations

import json

import pytest

from tests.local_stack import ROOT, Stack
from tests.optional import needs_docker, needs_lambda_python
from tests.sam_cli import sam

pytestmark = [needs_docker, needs_lambda_python]
STATUSES = {
    "api_docs": {200},
    "authorize": {None},
    "create_task": {201},
    "create_user": {201},
    "delete_task": {404},
    "get_task": {404},
    "invalidate_task_cache": {None},
    "list_tasks": {200},
    "login": {200, 401},  # whether the user of the event is there yet
    "publish_task_events": {None},
    "rotate_token_key": {None},
    "send_notification": {None},
    "update_task": {404},
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "events").glob("*.json")))
def test_a_function_takes_its_event(stack: Stack, name: str) -> None:
    function = "".join(map(str.capitalize, name.split("_"))) + "Function"
    answer = json.loads(sam("local", "invoke", function, "--event", f"events/{name}.json")) or {}
    assert "errorType" not in answer
    assert answer.get("statusCode") in STATUSES[name]
    assert not answer.get("batchItemFailures")
