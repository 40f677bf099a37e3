"""The template's tables, queues and secret in moto."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from tests.local_stack import ROOT
from tools.local.backends.resources import Resources
from tools.local.template import load_template

TOKEN_KEY = "the signing key of the tests, sixty-four characters or so of it!"


@cache
def template_resources() -> Mapping[str, Any]:
    """The template's resources, resolved; reading it takes a quarter of a second."""
    return load_template(ROOT / "template.yaml", {}).resources


@contextmanager
def aws_with_resources() -> Iterator[None]:
    """The template's tables, queues and secret, empty, in moto."""
    # A new session would read the model of each service again.
    with mock_aws(config={"core": {"reset_boto3_session": False}}), _isolated_transactions():
        _create_resources()
        yield


@contextmanager
def _isolated_transactions() -> Iterator[None]:
    """Let transactions happen one after the other: moto would show them half done to other threads."""
    transact, lock = DynamoDBBackend.transact_write_items, Lock()

    def transact_alone(*arguments: Any, **options: Any) -> None:
        with lock:
            transact(*arguments, **options)

    with patch.object(DynamoDBBackend, "transact_write_items", transact_alone):
        yield


def _create_resources() -> None:
    """Make the resources.

    The tables have no streams: moto copies every record of a stream at every transaction.
    """
    resources = copy.deepcopy(dict(template_resources()))
    for resource in resources.values():
        resource.get("Properties", {}).pop("StreamSpecification", None)
    Resources(resources).create(secrets={"TokenSecret": TOKEN_KEY})


def empty_tables(dynamodb: Any) -> None:
    """Delete all tasks and users."""
    for table, key in Resources(template_resources()).keys().items():
        for item in dynamodb.scan(TableName=table)["Items"]:
            dynamodb.delete_item(TableName=table, Key={name: item[name] for name in key})
