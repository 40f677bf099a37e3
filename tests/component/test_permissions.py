"""Least privilege: each function's role allows what its code calls, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.client import BaseClient
from passlib.hash import argon2

from shared.tasks.store import TaskStore
from shared.users.refresh_tokens import RefreshToken
from shared.webhooks.store import WebhookStore
from tests.handlers import authorization, event, invoke
from tests.tasks import new_task
from tests.template import RESOURCES, TEMPLATE, functions_of

FUNCTIONS = {name: function.properties for name, function in functions_of(TEMPLATE).items()}
Permission = tuple[str, str]
"""An action and its resource: the logical id, with the rest of the ARN."""

# What Lambda does with the role of a function that a stream or a queue triggers. See
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
STREAM_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def allowed(function: str) -> set[Permission]:
    role = RESOURCES[resource_name(FUNCTIONS[function]["Role"])]["Properties"]
    return {
        (action, resource_name(resource))
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resource_name(reference: Any) -> str:
    """The name of a referenced resource, such as TasksTable or TasksTable/index/a-name."""
    if "Fn::GetAtt" in reference:
        name, attribute = reference["Fn::GetAtt"]
        return f"{name}/stream" if attribute == "StreamArn" else str(name)
    if "Fn::Sub" in reference:
        return str(reference["Fn::Sub"]).replace("${", "").replace(".Arn}", "")
    return str(reference["Ref"])


def by_lambda(function: str) -> set[Permission]:
    """What Lambda does with the function's role, because of its event source mappings."""
    permissions: set[Permission] = set()
    for source in FUNCTIONS[function].get("Events", {}).values():
        properties = source["Properties"]
        if source["Type"] == "DynamoDB":
            stream = resource_name(properties["Stream"])
            permissions |= {(action, stream) for action in STREAM_ACTIONS}
            permissions.add(("dynamodb:ListStreams", f"{stream}/*"))
            if destination := properties.get("DestinationConfig"):
                bucket = resource_name(destination["OnFailure"]["Destination"])
                permissions |= {("s3:PutObject", f"{bucket}/*"), ("s3:ListBucket", bucket)}
        elif source["Type"] == "SQS":
            permissions |= {(action, resource_name(properties["Queue"])) for action in QUEUE_ACTIONS}
    return permissions


def needed(operation: str, parameters: dict[str, Any]) -> set[Permission]:
    """The permissions that a call needs.

    See https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    """
    if operation == "TransactWriteItems":
        return {
            (f"dynamodb:{kind}Item", write["TableName"])
            for item in parameters["TransactItems"]
            for kind, write in item.items()
        }
    if operation == "BatchGetItem":
        return {("dynamodb:BatchGetItem", table) for table in parameters["RequestItems"]}
    if operation == "BatchWriteItem":
        return {("dynamodb:BatchWriteItem", table) for table in parameters["RequestItems"]}
    if "QueueUrl" in parameters:
        return {(f"sqs:{operation.removesuffix('Batch')}", parameters["QueueUrl"])}
    if operation == "PutEvents":
        return {("events:PutEvents", entry["EventBusName"]) for entry in parameters["Entries"]}
    if "SecretId" in parameters:
        return {(f"secretsmanager:{operation}", parameters["SecretId"])}
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    return {(f"dynamodb:{operation}", parameters["TableName"] + index)}


@pytest.fixture
def called(aws: None, monkeypatch: pytest.MonkeyPatch) -> set[Permission]:
    """The permissions that AWS calls need, collected during the test."""
    permissions: set[Permission] = set()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        permissions.update(needed(operation, parameters))
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return permissions


Scenario = Callable[[set[Permission]], None]
"""Runs a function so that it makes every kind of call it can. Clears the set after its preparations."""


def simply(function: str, status: int | None = None) -> Scenario:
    def scenario(_called: set[Permission]) -> None:
        assert invoke(function).get("statusCode") == status

    return scenario


def create_task(called: set[Permission]) -> None:
    invoke("create_user")
    called.clear()
    body = json.dumps({"title": "Mine", "assignee": "me"})
    assert invoke("create_task", body=body)["statusCode"] == 201


def with_a_task(function: str, status: int, *bodies: dict[str, Any]) -> Scenario:
    def scenario(called: set[Permission]) -> None:
        invoke("create_user")
        task_id = json.loads(invoke("create_task")["body"])["id"]
        called.clear()
        for body in bodies or [{}]:
            path = {"path": f"/tasks/{task_id}", "pathParameters": {"task_id": task_id}}
            assert invoke(function, **path, body=json.dumps(body))["statusCode"] == status

    return scenario


def with_a_deleted_task(function: str, status: int) -> Scenario:
    def scenario(called: set[Permission]) -> None:
        path = {"pathParameters": {"task_id": json.loads(invoke("create_task")["body"])["id"]}}
        invoke("delete_task", **path)
        called.clear()
        assert invoke(function, **path)["statusCode"] == status

    return scenario


def with_a_session(function: str, status: int) -> Scenario:
    """With a session and an API key, because what ends sessions deletes keys, too."""

    def scenario(called: set[Permission]) -> None:
        invoke("create_user")
        token = json.loads(invoke("login")["body"])["access_token"]
        context = event(function)["requestContext"]
        context["authorizer"] = invoke("authorize", **authorization(f"Bearer {token}"))["context"]
        key_id = json.loads(invoke("create_api_key", requestContext=context)["body"])["id"]
        called.clear()
        path = {"pathParameters": {"key_id": key_id}}
        assert invoke(function, **path, requestContext=context)["statusCode"] == status

    return scenario


def with_a_webhook(function: str, status: int) -> Scenario:
    def scenario(called: set[Permission]) -> None:
        webhook_id = json.loads(invoke("create_webhook")["body"])["id"]
        called.clear()
        assert invoke(function, pathParameters={"webhook_id": webhook_id})["statusCode"] == status

    return scenario


def fan_out_webhooks(called: set[Permission]) -> None:
    invoke("create_webhook")
    called.clear()
    assert invoke("fan_out_webhooks") == {"batchItemFailures": []}


def deliver_webhook(called: set[Permission]) -> None:
    """To a forbidden address: the failure is recorded, and the message retried."""
    webhook, _ = WebhookStore().create("http://127.0.0.1/", ["task.created"], "ada")
    invoke("fan_out_webhooks")
    sqs = boto3.client("sqs")
    (message,) = sqs.receive_message(QueueUrl="WebhookDeliveriesQueue", MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    assert json.loads(message["Body"])["webhook_id"] == webhook.id
    called.clear()
    record = event("deliver_webhook")["Records"][0]
    delivery = {
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
    answer = invoke("deliver_webhook", Records=[{**record, **delivery}])
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def list_tasks(_called: set[Permission]) -> None:
    for name, value in (("sort", "created_at"), ("sort", "due_at"), ("assignee", "me")):
        assert invoke("list_tasks", multiValueQueryStringParameters={name: [value]})["statusCode"] == 200


def list_users(_called: set[Permission]) -> None:
    assert invoke("list_users", multiValueQueryStringParameters={"prefix": ["ad"]})["statusCode"] == 200


def revoke_token(called: set[Permission]) -> None:
    invoke("create_user")
    tokens = json.loads(invoke("login")["body"])
    called.clear()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert invoke("revoke_token", body=urlencode({"token": token}))["statusCode"] == 200


def authorize(called: set[Permission]) -> None:
    invoke("create_user")
    token = json.loads(invoke("login")["body"])["access_token"]
    called.clear()
    policy = invoke("authorize", **authorization(f"Bearer {token}"))["policyDocument"]
    assert policy["Statement"][0]["Effect"] == "Allow"


def login(called: set[Permission]) -> None:
    invoke("create_user")
    boto3.client("dynamodb").update_item(
        TableName="UsersTable",
        Key={"username": {"S": "ada"}},
        UpdateExpression="SET password_hash = :weak",
        ExpressionAttributeValues={":weak": {"S": argon2.using(time_cost=1).hash("correct horse battery")}},
    )
    called.clear()
    refresh_token = json.loads(invoke("login")["body"])["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    assert invoke("login", body=urlencode(form))["statusCode"] == 200
    used = RefreshToken.parse(refresh_token)
    reused = replace(used, secret=used.family)  # not the last token, but of a known family
    assert invoke("login", body=urlencode({**form, "refresh_token": str(reused)}))["statusCode"] == 400


def invalidate_task_cache(_called: set[Permission]) -> None:
    assert invoke("invalidate_task_cache") == {"batchItemFailures": []}


def send_notification(_called: set[Permission]) -> None:
    records = event("send_notification")["Records"]
    records[0]["body"] = json.dumps({**json.loads(records[0]["body"]), "type": "unknown"})
    records[1]["body"] = json.dumps({**json.loads(records[1]["body"]), "type": "task.due"})
    assert len(invoke("send_notification", Records=records)["batchItemFailures"]) == 1


def remind(called: set[Permission]) -> None:
    TaskStore(lambda: None).create(replace(new_task(due_at=1_767_225_600), due_set_at=0))
    watermark = {"id": {"S": "remind"}, "until": {"S": f"{0:012}#"}, "looked_back_at": {"N": "0"}}
    boto3.client("dynamodb").put_item(TableName="NotifiedTable", Item=watermark)
    called.clear()
    invoke("remind")


def purge_history(called: set[Permission]) -> None:
    task_id = json.loads(invoke("create_task")["body"])["id"]
    path = {"pathParameters": {"task_id": task_id}}
    invoke("delete_task", **path)
    invoke("purge_task", **path)
    record = event("purge_history")["Records"][0]
    body = record["body"].replace("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", task_id)
    called.clear()
    assert invoke("purge_history", Records=[{**record, "body": body}]) == {"batchItemFailures": []}


def rotate_token_key(_called: set[Permission]) -> None:
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        invoke("rotate_token_key", Step=step)


SCENARIOS: dict[str, Scenario] = {
    "api_docs": simply("api_docs", 200),
    "authorize": authorize,
    "board": simply("board", 200),
    "change_password": with_a_session("change_password", 204),
    "create_task": create_task,
    "create_webhook": simply("create_webhook", 201),
    "list_webhooks": simply("list_webhooks", 200),
    "delete_webhook": with_a_webhook("delete_webhook", 204),
    "test_webhook": with_a_webhook("test_webhook", 202),
    "rotate_webhook_secret": with_a_webhook("rotate_webhook_secret", 200),
    "fan_out_webhooks": fan_out_webhooks,
    "deliver_webhook": deliver_webhook,
    "create_user": simply("create_user", 201),
    "create_api_key": with_a_session("create_api_key", 201),
    "delete_api_key": with_a_session("delete_api_key", 204),
    "delete_user": with_a_session("delete_user", 204),
    "delete_task": with_a_task("delete_task", 204),
    "get_me": with_a_session("get_me", 200),
    "get_task": with_a_task("get_task", 200),
    "get_task_history": with_a_task("get_task_history", 200),
    "invalidate_task_cache": invalidate_task_cache,
    "list_api_keys": with_a_session("list_api_keys", 200),
    "list_tasks": list_tasks,
    "list_trash": simply("list_trash", 200),
    "list_users": list_users,
    "login": login,
    "publish_task_events": simply("publish_task_events"),
    "purge_history": purge_history,
    "purge_task": with_a_deleted_task("purge_task", 204),
    "restore_task": with_a_deleted_task("restore_task", 200),
    "revoke_token": revoke_token,
    "rotate_token_key": rotate_token_key,
    "remind": remind,
    "send_notification": send_notification,
    "update_task": with_a_task("update_task", 200, {"title": "Another"}, {"assignee": "me"}),
}


def differences(function: str, allowed: set[Permission], needed: set[Permission]) -> list[str]:
    """Say what to change in the role of a function."""
    role = resource_name(FUNCTIONS[function]["Role"]).partition("/")[0]
    lacking = [
        f"Allow {action} on {resource} in {role} in template.yaml: functions/{function} calls it."
        for action, resource in sorted(needed - allowed)
    ]
    unused = [
        f"Remove {action} on {resource} from {role} in template.yaml, or have SCENARIOS in "
        f"tests/component/test_permissions.py call it: functions/{function} made no such call."
        for action, resource in sorted(allowed - needed)
    ]
    return lacking + unused


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_may_do_what_it_does_and_no_more(function: str, called: set[Permission]) -> None:
    SCENARIOS[function](called)
    advice = differences(function, allowed(function), called | by_lambda(function))
    assert not advice, "\n" + "\n".join(advice)


def by_endpoint() -> set[Permission]:
    """What the VPC endpoint of DynamoDB allows."""
    policy = RESOURCES["DynamoDBEndpoint"]["Properties"]["PolicyDocument"]
    return {
        (action, resource_name(resource))
        for statement in policy["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


@pytest.mark.parametrize(
    "function", sorted(name for name, properties in FUNCTIONS.items() if "VpcConfig" in properties)
)
def test_the_vpc_endpoint_allows_the_calls_of_functions_in_the_network(function: str) -> None:
    calls = {each for each in allowed(function) if "/stream" not in each[1]}  # Lambda reads the stream
    indexes = {(action, f"{name.partition('/')[0]}/index/*") for action, name in calls if "/index/" in name}
    assert {each for each in calls if "/index/" not in each[1]} | indexes <= by_endpoint()


def test_no_resource_is_a_wildcard_where_one_can_be_named() -> None:
    statements = RESOURCES["RunPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    everything = [statement["Action"] for statement in statements if statement["Resource"] == "*"]
    # See https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    assert everything == [["xray:PutTraceSegments", "xray:PutTelemetryRecords"]]
