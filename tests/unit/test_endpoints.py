"""Every function has all the parts that it needs, and nothing is left of a removed one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.component.test_permissions import SCENARIOS
from tests.expected import CONTRACT, PUBLIC
from tests.local_stack import ROOT
from tests.smoke import SMOKE
from tests.template import TEMPLATE, Function, functions_of

DOCUMENT = json.loads((ROOT / "functions/api_docs/openapi.json").read_text())
OPERATIONS = {
    (method.upper(), path): operation["operationId"]
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
EVENTS = {path.stem for path in (ROOT / "events").glob("*.json")}
# Functions that serve pages for people are not operations of the contract.
PAGES = {"api_docs", "board"}


def watched(template: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The logical ids of functions that alarms watch, each with the name of the metric."""
    metrics: list[Any] = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            alarm = resource["Properties"]
            stats = [
                each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each
            ]
            metrics += stats or [alarm]
    return {
        (dimension["Value"]["Ref"], metric["MetricName"])
        for metric in metrics
        for dimension in metric.get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
    }


def lacks(function: Function, alarms: set[tuple[str, str]]) -> Iterator[str]:
    """Say what a function lacks, and what to do about it."""
    name = function.name
    code = ROOT / "functions" / name / "app.py"
    if code.exists() and "TODO" in code.read_text():
        yield f"Write what functions/{name}/app.py is for: it has TODO where your words go."
    if not code.exists():
        yield f"Write functions/{name}/app.py, the code of {function.logical_id}."
    if name not in EVENTS:
        yield f"Add events/{name}.json: an event as AWS will send it to {function.logical_id}."
    if name not in SCENARIOS:
        yield (
            f"Add {name!r} to SCENARIOS in tests/component/test_permissions.py: "
            "a scenario that makes every call its role allows."
        )
    for route in function.routes:
        key = (route.method, route.path)
        if name not in PAGES:
            if OPERATIONS.get(key) != name:
                yield (
                    f"Declare the handler of functions/{name}/app.py with @endpoint, if it is not, and run "
                    f"make openapi: {route} is not in the document."
                )
            if key not in CONTRACT:
                yield f"Add {key} to CONTRACT in tests/expected.py: the statuses it may answer with."
        if key not in SMOKE:
            yield (
                f"Add {key} to SMOKE in tests/smoke.py: a request to it that succeeds, "
                "before the one that deletes what it needs."
            )
        if route.public and key not in PUBLIC:
            yield (
                f"Anybody may call {route}. Take `Auth: {{Authorizer: NONE}}` away from it in template.yaml; "
                f"if it is meant to be public, add {key} to PUBLIC in tests/expected.py."
            )
    if (function.logical_id, "Errors") not in alarms:
        yield f"Add an alarm of the metric Errors of {function.logical_id} to template.yaml, like the others."


def left_over(functions: Mapping[str, Function]) -> Iterator[str]:
    """Say what is left of functions and routes that do not exist."""
    routes = {(route.method, route.path) for function in functions.values() for route in function.routes}
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    for name in folders - functions.keys():
        yield f"Add a function with CodeUri: functions/{name} to template.yaml, or remove that folder."
    for name in EVENTS - functions.keys():
        yield f"Remove events/{name}.json: there is no such function in template.yaml."
    for where, names in {"SCENARIOS": set(SCENARIOS), "PAGES": PAGES}.items():
        for name in names - functions.keys():
            yield f"Remove {name!r} from {where}: there is no such function in template.yaml."
    for where, keys in {"CONTRACT": set(CONTRACT), "SMOKE": set(SMOKE), "PUBLIC": PUBLIC}.items():
        for key in keys - routes:
            yield f"Remove {key} from {where}: there is no such route in template.yaml."


def advice(template: Mapping[str, Any]) -> list[str]:
    functions, alarms = functions_of(template), watched(template)
    lacking = [sentence for function in functions.values() for sentence in lacks(function, alarms)]
    return [*lacking, *sorted(left_over(functions))]


def test_every_function_is_complete() -> None:
    missing = advice(TEMPLATE)
    assert not missing, "\n" + "\n".join(missing)


def more_advice(template: Mapping[str, Any]) -> list[str]:
    """The advice for a template, without the advice for the project's own."""
    present = advice(TEMPLATE)
    return [sentence for sentence in advice(template) if sentence not in present]


def with_function(name: str, *events: dict[str, Any]) -> dict[str, Any]:
    """A copy of the template with one more function."""
    template = copy.deepcopy(TEMPLATE)
    logical_id = "".join(map(str.capitalize, name.split("_"))) + "Function"
    properties = {"CodeUri": f"functions/{name}", "Events": dict(zip("abc", events, strict=False))}
    template["Resources"][logical_id] = {"Type": "AWS::Serverless::Function", "Properties": properties}
    return template


def test_missing_parts_of_a_new_endpoint_are_named() -> None:
    route = {"Method": "POST", "Path": "/tasks/{task_id}/frobnicate", "Auth": {"Authorizer": "NONE"}}
    missing = more_advice(with_function("frobnicate_task", {"Type": "Api", "Properties": route}))
    beginnings = [
        "Write functions/frobnicate_task/app.py",
        "Add events/frobnicate_task.json",
        "Add 'frobnicate_task' to SCENARIOS in tests/component/test_permissions.py",
        "Declare the handler of functions/frobnicate_task/app.py with @endpoint",
        "Add ('POST', '/tasks/{task_id}/frobnicate') to CONTRACT in tests/expected.py",
        "Add ('POST', '/tasks/{task_id}/frobnicate') to SMOKE in tests/smoke.py",
        "Anybody may call POST /tasks/{task_id}/frobnicate",
        "Add an alarm of the metric Errors of FrobnicateTaskFunction",
    ]
    assert len(missing) == len(beginnings)
    for sentence, beginning in zip(missing, beginnings, strict=True):
        assert sentence.startswith(beginning)


def test_missing_parts_of_a_new_consumer_are_named() -> None:
    queue = {"Queue": {"Fn::GetAtt": ["NotificationsQueue", "Arn"]}}
    missing = more_advice(with_function("frobnicate_tasks", {"Type": "SQS", "Properties": queue}))
    alarm = "Add an alarm of the metric Errors of FrobnicateTasksFunction to template.yaml, like the others."
    assert missing[-1] == alarm
    assert not [sentence for sentence in missing if "openapi" in sentence]


def test_leftovers_of_a_removed_endpoint_are_named() -> None:
    template = copy.deepcopy(TEMPLATE)
    del template["Resources"]["GetTaskFunction"]
    assert more_advice(template) == [
        "Add a function with CodeUri: functions/get_task to template.yaml, or remove that folder.",
        "Remove 'get_task' from SCENARIOS: there is no such function in template.yaml.",
        "Remove ('GET', '/tasks/{task_id}') from CONTRACT: there is no such route in template.yaml.",
        "Remove ('GET', '/tasks/{task_id}') from SMOKE: there is no such route in template.yaml.",
        "Remove events/get_task.json: there is no such function in template.yaml.",
    ]
