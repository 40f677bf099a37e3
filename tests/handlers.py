"""The functions, called as Lambda calls them."""

from __future__ import annotations

import json
import sys
from importlib import util
from types import ModuleType
from typing import Any

import pytest

from tests.local_stack import ROOT
from tests.template import FUNCTIONS


def event(name: str, **changes: Any) -> dict[str, Any]:
    """The sample event of a function, with some of its fields replaced."""
    return {**json.loads((ROOT / "events" / f"{name}.json").read_text()), **changes}


def authorization(header: str) -> dict[str, Any]:
    """The fields of an event that carry this `Authorization` header."""
    return {"headers": {"Authorization": header}, "multiValueHeaders": {"Authorization": [header]}}


class LambdaContext:
    function_name = "Function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:Function"
    aws_request_id = "5a5a5a5a-0000-4000-8000-5a5a5a5a5a5a"

    def __init__(self, seconds: int = 10) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return 1_000 * self.seconds


def context_of(name: str) -> LambdaContext:
    """The context of a call that has just begun."""
    return LambdaContext(FUNCTIONS[name].timeout)


def load_function(name: str) -> ModuleType:
    """Import a function again, as a new execution environment does."""
    path = ROOT / "functions" / name / "app.py"
    spec = util.spec_from_file_location(f"functions.{name}.app", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def invoke(name: str, **changes: Any) -> dict[str, Any]:
    """Invoke a function with its sample event."""
    answer: dict[str, Any] = load_function(name).handler(event(name, **changes), context_of(name))
    return answer


def counted_metrics(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Names of the metrics that were printed, all in the stack's namespace."""
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert all(entry["service"] == "task-api" for entry in entries)
    declared = [entry["_aws"]["CloudWatchMetrics"][0] for entry in entries]
    assert {each["Namespace"] for each in declared} <= {"TaskApi"}
    return [metric["Name"] for each in declared for metric in each["Metrics"]]
