"""The template's tables, queues and secret in moto."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.backends import get_backend
from moto.dynamodb.models import DynamoDBBackend
from moto.sqs.models import Queue

from tests.local_stack import ROOT
from tests.template import TEMPLATE
from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.backends.resources import Resources
from tools.local.template import load_template

TOKEN_KEY = "the signing key of the tests, sixty-four characters or so of it!"


@cache
def template_resources() -> Mapping[str, Any]:
    """The template's resources, resolved; cached, because reading them takes a quarter of a second."""
    return load_template(ROOT / "template.yaml", {}).resources


@contextmanager
def mocked_aws() -> Iterator[Callable[[], None]]:
    """Create the template's tables, queues and secret in moto; yields a function that resets them."""
    resources = copy.deepcopy(dict(template_resources()))
    for resource in resources.values():
        # No streams: moto copies every record of a stream at every transaction.
        resource.get("Properties", {}).pop("StreamSpecification", None)
    # A new session would read the model of each service again.
    with mock_aws(config={"core": {"reset_boto3_session": False}}), _isolated_transactions():
        Resources(resources).create(secrets={"TokenSecret": TOKEN_KEY})
        queues = Resources(
            {name: each for name, each in resources.items() if each["Type"] == "AWS::SQS::Queue"}
        )
        tables, secrets, sqs = _backend("dynamodb"), _backend("secretsmanager"), _backend("sqs")
        new, new_queues = copy.deepcopy((tables.tables, secrets.secrets)), dict(sqs.queues)

        def empty() -> None:
            """Reset all; creating it again takes ten times as long, and most tests send no message."""
            nonlocal new_queues
            tables.tables, secrets.secrets = copy.deepcopy(new)
            if (
                _backend("cloudformation").stacks
                or sqs.queues != new_queues
                or any(map(_is_used, sqs.queues.values()))
            ):
                for service in ("cloudformation", "sqs"):
                    _backend(service).reset()
                queues.create()
                new_queues = dict(sqs.queues)

        yield empty


def deploy(name: str, *logical_ids: str, **parameters: str) -> None:
    """Create a CloudFormation stack in moto with some of the template's resources."""
    resources = {each: copy.deepcopy(TEMPLATE["Resources"][each]) for each in logical_ids}
    for resource in resources.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            resource["Properties"]["DeletionProtectionEnabled"] = False
        for each in ("Condition", "DependsOn", "Metadata"):
            resource.pop(each, None)
    body = {
        "Parameters": {each: TEMPLATE["Parameters"][each] for each in parameters},
        "Resources": resources,
    }
    chosen: Any = [{"ParameterKey": each, "ParameterValue": value} for each, value in parameters.items()]
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=chosen)


def _is_used(queue: Queue) -> bool:
    is_modified = queue.last_modified_timestamp != queue.created_timestamp
    return is_modified or bool(
        queue.approximate_number_of_messages
        + queue.approximate_number_of_messages_delayed
        + queue.approximate_number_of_messages_not_visible
    )


def _backend(service: str) -> Any:
    return get_backend(service)[ACCOUNT][REGION]  # type: ignore[call-overload]


@contextmanager
def _isolated_transactions() -> Iterator[None]:
    """Run one transaction at a time: moto shows half of a transaction to other threads."""
    transact, lock = DynamoDBBackend.transact_write_items, Lock()

    def transact_alone(*arguments: Any, **options: Any) -> None:
        with lock:
            transact(*arguments, **options)

    with patch.object(DynamoDBBackend, "transact_write_items", transact_alone):
        yield


def empty_tables(dynamodb: Any) -> None:
    """Delete all tasks and users."""
    for table, key in Resources(template_resources()).keys().items():
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                dynamodb.delete_item(TableName=table, Key={name: item[name] for name in key})
