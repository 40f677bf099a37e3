"""Functions called with events as API Gateway sends them; `events/` has a sample for each function."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from shared.tasks.store import TaskStore
from shared.tasks.task import TaskStatus
from tests.handlers import LambdaContext, authorization, counted_metrics, event, load_function
from tests.tasks import changing
from tests.template import TEMPLATE, functions_of

Invoke = Callable[..., dict[str, Any]]
Log = Callable[[], list[dict[str, Any]]]


def staged(name: str, stage: str, **changes: Any) -> dict[str, Any]:
    """Changes to a sample event, so that it comes through a stage of a deployed API."""
    sample = event(name)
    context = sample["requestContext"] | {
        "path": f"/{stage}{sample['path']}",
        "domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
    }
    headers = sample["multiValueHeaders"] | {"X-Forwarded-Proto": ["https"]}
    return {"requestContext": context, "multiValueHeaders": headers, **changes}


@pytest.mark.parametrize("name", functions_of(TEMPLATE))
def test_the_sample_event_is_accepted(invoke: Invoke, name: str) -> None:
    answer = invoke(name) or {}
    assert answer.get("statusCode", 200) in {200, 201, 401, 404}, answer
    assert answer.get("batchItemFailures", []) == [], answer


def test_links_include_the_stage(invoke: Invoke) -> None:
    created = [
        invoke("create_task", **staged("create_task", "v1", body=json.dumps({"title": f"Task {n}"})))
        for n in range(2)
    ]
    task = json.loads(created[1]["body"])
    base = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1/tasks"
    assert created[1]["multiValueHeaders"]["Location"] == [f"{base}/{task['id']}"]
    query = {"queryStringParameters": {"limit": "1"}, "multiValueQueryStringParameters": {"limit": ["1"]}}
    listed = invoke("list_tasks", **staged("list_tasks", "v1", **query))
    assert listed["multiValueHeaders"]["Link"][0].startswith(f"<{base}?limit=1&cursor=")


@pytest.mark.parametrize("base", ["", "/v1", "/my/base"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_docs_call_the_api_where_they_are_served(invoke: Invoke, base: str, slash: str) -> None:
    host = f"http://{event('api_docs')['requestContext']['domainName']}"
    for path, root in (("/docs", base), ("/openapi.json", host + base)):
        context = event("api_docs")["requestContext"] | {"path": f"{base}{path}{slash}", "resourcePath": path}
        body = invoke("api_docs", path=path, resource=path, requestContext=context)["body"]
        assert f'"tokenUrl":"{root}/auth/login"' in body.replace('": ', '":')
        assert f'"servers":[{{"url":"{root or "/"}",' in body.replace('": ', '":')


@pytest.mark.parametrize(
    ("asked", "root"),
    [
        ("//docs", ""),
        ("/%64ocs", ""),
        ("//evil.example/docs", ""),
        ("/%2Fevil.example/docs", ""),
        ("/%5Cevil.example/docs", ""),
        ("/v1//docs", "/v1"),
        ("/v1/%64ocs", "/v1"),
        ("/v1/docs//", "/v1"),
        ("/my/base/%64ocs", "/my/base"),
        ("/team+x(1)/docs", "/team+x(1)"),
        ("/v1/../docs", "/v1"),
    ],
)
def test_no_path_sends_the_password_to_another_host(invoke: Invoke, asked: str, root: str) -> None:
    context = event("api_docs")["requestContext"] | {"path": asked}
    body = invoke("api_docs", requestContext=context)["body"]
    assert f'"tokenUrl":"{root}/auth/login"' in body.replace('": ', '":')
    assert f'updateUrl("{root}/openapi.json")' in body


@pytest.mark.parametrize("name", ["create_task", "get_task", "login", "api_docs", "board", "list_tasks"])
def test_an_unexpected_query_string_is_refused(invoke: Invoke, name: str) -> None:
    answer = invoke(name, multiValueQueryStringParameters={"format": ["json"]})
    assert answer["statusCode"] == 422
    assert [error["field"] for error in json.loads(answer["body"])["errors"]] == ["format"]


@pytest.mark.parametrize(
    ("asked", "root"), [("//", ""), ("/v1//", "/v1"), ("/base/", "/base"), ("/v1", "/v1")]
)
def test_the_board_calls_the_api_that_serves_it(invoke: Invoke, asked: str, root: str) -> None:
    context = event("board")["requestContext"] | {"path": asked}
    assert f'<meta name="api" content="{root}">' in invoke("board", requestContext=context)["body"]


def test_every_response_has_its_requests_id(invoke: Invoke) -> None:
    answers = [
        invoke("create_task"),
        invoke("create_task"),
        invoke("create_task", body="{"),
        invoke("get_task"),
        invoke("get_task", path="/tasks/a#b"),
        invoke("delete_task"),
    ]
    assert [answer["statusCode"] for answer in answers] == [201, 409, 422, 404, 404, 404]
    request_id = event("create_task")["requestContext"]["requestId"]
    assert all(answer["multiValueHeaders"]["x-request-id"] == [request_id] for answer in answers)


def test_a_body_in_base64_is_read_as_utf_8(invoke: Invoke) -> None:
    task = base64.b64encode('{"title": "Käse"}'.encode()).decode()
    assert json.loads(invoke("create_task", body=task, isBase64Encoded=True)["body"])["title"] == "Käse"
    for body in ("/w==", "a"):
        assert invoke("create_task", body=body, isBase64Encoded=True)["statusCode"] == 422
        assert invoke("login", body=body, isBase64Encoded=True)["statusCode"] == 422


def test_the_creator_is_stored_but_not_shown(invoke: Invoke) -> None:
    task = json.loads(invoke("create_task")["body"])
    user_id = event("create_task")["requestContext"]["authorizer"]["user_id"]
    assert TaskStore().get(task["id"]).created_by == user_id
    assert user_id not in str(task)


def test_an_unreachable_table_is_a_503_that_says_to_try_again(aws: None, log: Log) -> None:
    function = load_function("get_task")

    def time_out(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb.internal")

    function.tasks._client.meta.events.register_first("before-send.dynamodb", time_out)
    answer = function.handler(event("get_task"), LambdaContext())
    assert answer["statusCode"] == 503
    assert answer["multiValueHeaders"]["Retry-After"] == ["1"]
    assert "dynamodb" not in answer["body"]
    error, answered = log()
    assert error["level"] == "ERROR"
    assert error["exception_name"] == "ConnectTimeoutError"
    assert (answered["level"], answered["status"]) == ("INFO", 503)


SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.mark.parametrize(
    "name", [each.name for each in functions_of(TEMPLATE).values() if "SnapStart" in each.properties]
)
def test_the_scheduled_call_that_keeps_a_snapshot_alive_has_no_effect(aws: None, log: Log, name: str) -> None:
    assert load_function(name).handler(SCHEDULED, LambdaContext()) == {}
    assert log() == []


@pytest.mark.parametrize(
    ("status", "code", "is_ours"),
    [
        (400, "AccessDeniedException", True),
        (400, "ResourceNotFoundException", True),
        (400, "ThrottlingException", False),
        (500, "InternalServerError", False),
    ],
)
def test_our_own_errors_are_counted(
    aws: None, capsys: pytest.CaptureFixture[str], status: int, code: str, is_ours: bool
) -> None:
    function = load_function("get_task")

    def refuse(**_: Any) -> Any:
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(response, "GetItem")  # type: ignore[arg-type]

    function.tasks._client.meta.events.register_first("before-send.dynamodb", refuse)
    assert function.handler(event("get_task"), LambdaContext())["statusCode"] == 503
    assert counted_metrics(capsys) == (["UnexpectedError"] if is_ours else [])


def test_every_request_is_logged_with_its_id_and_its_user(invoke: Invoke, log: Log) -> None:
    for function in ("create_task", "list_tasks", "get_task", "create_user"):
        invoke(function)
    entries = log()
    assert [(entry["method"], entry["path"], entry["status"]) for entry in entries] == [
        ("POST", "/tasks", 201),
        ("GET", "/tasks", 200),
        ("GET", event("get_task")["path"], 404),
        ("POST", "/auth/create", 201),
    ]
    context = event("create_task")["requestContext"]
    assert {entry["correlation_id"] for entry in entries} == {context["requestId"]}
    users = [entry.get("user_id") for entry in entries]
    assert users == [context["authorizer"]["user_id"]] * 3 + [None]
    assert all(entry["function_name"] for entry in entries)


def test_no_password_and_no_token_is_logged(invoke: Invoke, log: Log) -> None:
    invoke("create_user")
    token = json.loads(invoke("login")["body"])["access_token"]
    for header in (f"Bearer {token}", f"Bearer {token[:-3]}", "Bearer garbage", token):
        invoke("authorize", **authorization(header))
    invoke("login", body="username=ada&password=wrong+horse+battery")
    invoke("login", body="password=correct+horse+battery")
    boto3.client("dynamodb").delete_table(TableName="UsersTable")
    assert invoke("create_user")["statusCode"] == invoke("login")["statusCode"] == 503
    logged = json.dumps(log())
    assert "ResourceNotFoundException" in logged
    assert "token refused" in logged
    for secret in ("horse", token.rpartition(".")[2], token[:-3].rpartition(".")[2], "garbage"):
        assert secret not in logged


def test_an_unexpected_error_is_a_500_without_details(
    aws: None, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    function = load_function("get_task")
    monkeypatch.setattr(function.tasks, "get", lambda _: 1 / 0)
    answer = function.handler(event("get_task"), LambdaContext())
    assert answer["statusCode"] == 500
    assert "zero" not in answer["body"].lower()
    error, _answered = log()
    assert error["exception_name"] == "ZeroDivisionError"


def test_a_validation_error_does_not_repeat_the_password(invoke: Invoke, log: Log) -> None:
    answer = invoke("create_user", body=json.dumps({"username": "x", "password": "hunter2"}))
    assert answer["statusCode"] == 422
    assert "hunter2" not in answer["body"] + json.dumps(log())


@pytest.mark.parametrize(
    ("functions", "counted"),
    [
        (["create_user", "login"], ["UserCreated", "SignedIn"]),
        (["create_user", "create_user"], ["UserCreated"]),
        (["login"], ["SignInRefused"]),
        (["create_task", "create_task"], ["TaskCreated"]),
        (["get_task", "delete_task", "update_task"], []),
        (["send_notification", "send_notification"], ["NotificationSent", "NotificationSent"]),
    ],
)
def test_events_are_counted(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], functions: list[str], counted: list[str]
) -> None:
    for function in functions:
        invoke(function)
    assert counted_metrics(capsys) == counted


def test_changes_are_counted(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    task_id = json.loads(invoke("create_task")["body"])["id"]
    path = {"path": f"/tasks/{task_id}", "pathParameters": {"task_id": task_id}}
    invoke("update_task", **path)
    invoke("delete_task", **path)
    assert counted_metrics(capsys) == ["TaskCreated", "TaskUpdated", "TaskDeleted"]


def test_a_task_is_listed_under_its_status(invoke: Invoke) -> None:
    task = json.loads(invoke("create_task")["body"])
    assert json.loads(invoke("list_tasks")["body"]) == [task]
    TaskStore(lambda: None).update(task["id"], changing(status=TaskStatus.COMPLETED))
    assert json.loads(invoke("list_tasks")["body"]) == []


@pytest.mark.parametrize(
    ("created_at", "listed"),
    [
        ("1700000000", 0),
        ("1700000000.5", 0),
        ("1700000000.4999999", 0),
        ("1700000000.500001", 1),
        ("1700000001", 1),
    ],
)
def test_created_before_is_exact_to_the_microsecond(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, created_at: str, listed: int
) -> None:
    monkeypatch.setattr("shared.tasks.task.current_time", lambda: 1_700_000_000_500_000)
    invoke("create_task")
    query = {"created_at": created_at}
    multi = {name: [value] for name, value in query.items()}
    answer = invoke("list_tasks", queryStringParameters=query, multiValueQueryStringParameters=multi)
    assert len(json.loads(answer["body"])) == listed
