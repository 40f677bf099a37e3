"""The stack that a command is for: one in AWS, or that of `make run`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NO_REGION = (
    "No AWS region is set. For a stack in AWS, set AWS_REGION or run 'aws configure'; for make run, give the "
    'address that it prints for AWS, as ARGS="--endpoint-url http://…".'
)

MAX_CALLS = 16
"""How many calls at once the client of a stack is for."""
_TABLES = ("TasksTable", "HistoryTable", "UsersTable")
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=MAX_CALLS,
    # Adaptive: it slows down, but only after it was throttled itself, and the functions perhaps with it. What
    # spares them is the rate.
    retries={"mode": "adaptive", "total_max_attempts": 10},
)
_LOCAL_CONFIG = Config(
    connect_timeout=1,
    read_timeout=10,
    max_pool_connections=MAX_CALLS,
    retries={"mode": "standard", "total_max_attempts": 2},
)


class StackError(Exception):
    """There is no such stack, or it is not to be touched now."""


@dataclass(frozen=True)
class Stack:
    """A stack, in AWS or on this machine."""

    dynamodb: DynamoDBClient
    tables: Mapping[str, str]
    """Names by logical id."""
    parameters: Mapping[str, str]
    name: str = "task-api"
    """What its template has as AWS::StackName."""
    endpoint_url: str | None = None
    """Where AWS is, of a stack on this machine."""

    def client(self, service: str) -> Any:
        """Make a client of the AWS that the stack is in, of a service as boto3 names it."""
        return _client(service, self.endpoint_url)

    def physical_name(self, logical_id: str) -> str:
        """Find the name of a resource.

        Raises:
            ClientError: the stack has no such resource.
        """
        if self.endpoint_url:
            return logical_id  # as tools.local.backends.resources names all
        return _physical_name(self.client("cloudformation"), self.name, logical_id)

    def queues(self) -> dict[str, str]:
        """List the URLs of its queues by logical id."""
        if self.endpoint_url:
            pages = self.client("sqs").get_paginator("list_queues").paginate()
            urls = [url for page in pages for url in page.get("QueueUrls", [])]
            return {url.rpartition("/")[2]: url for url in urls}
        return self.resources("AWS::SQS::Queue")

    def resources(self, kind: str) -> dict[str, str]:
        """List the names of a stack's resources of a type by logical id; of a stack in AWS."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind
        }


def text_of(error: Exception) -> str:
    """Say what went wrong, and where no region is set, what to do."""
    return _NO_REGION if isinstance(error, NoRegionError) else str(error)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which stack it is for."""
    parser.add_argument("--stack-name", default="task-api", help="the stack in AWS", metavar="NAME")
    parser.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="URL of AWS that `make run` prints: its stack, instead of one in AWS",
    )


def add_rate(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    """Let a command be told how fast to go; `what` says of what, for its help."""
    parser.add_argument("--rate", type=_rate, default=default, metavar="N", help=what)


def _rate(text: str) -> int:
    """Read how many items a command may handle a second."""
    if not re.fullmatch(r"[1-9]\d*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no rate; give a whole number from 1")
    return int(text)


def chosen_stack(chosen: argparse.Namespace) -> Stack:
    """Find the stack that a command was told.

    Raises:
        StackError: there is no such stack, or it is not to be touched now.
    """
    return local_stack(chosen.endpoint_url) if chosen.endpoint_url else deployed_stack(chosen.stack_name)


def deployed_stack(name: str) -> Stack:
    """Find the tables and parameters of a stack in AWS.

    Raises:
        StackError: there is no such stack, or it is not to be migrated now.
    """
    cloudformation = _client("cloudformation")
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackError(f"There is no stack {name}. Name yours with ARGS='--stack-name …'.") from error
    if "_COMPLETE" not in stack["StackStatus"]:
        # Functions may still write by the parameters from before, or by those that are being rolled back.
        raise StackError(
            f"The stack {name} is not deployed whole ({stack['StackStatus']}). Run this again when it is: "
            "when the deployment has ended, or has been mended."
        )
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    try:
        tables = {table: _physical_name(cloudformation, name, table) for table in _TABLES}
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackError(
            f"The stack {name} is of an earlier version. Deploy this one first: sam deploy."
        ) from error
    return Stack(_client("dynamodb"), tables, parameters, stack["StackName"])


def local_stack(url: str) -> Stack:
    """Describe the stack that `make run` serves; its tables are named by their logical ids.

    Raises:
        StackError: there is none.
    """
    from tools.local.backends.environment import STACK_NAME
    from tools.local.backends.own_table import load_parameters

    client = _client("dynamodb", url)
    try:
        parameters = load_parameters(client)
    except (BotoCoreError, ClientError, KeyError) as error:
        raise StackError(
            f"There is no local stack at {url}. Take the address that it prints for AWS."
        ) from error
    return Stack(client, {table: table for table in _TABLES}, parameters, STACK_NAME, url)


def _client(service: str, url: str | None = None) -> Any:
    make: Any = boto3.client  # which mypy knows by literal names alone
    if url is None:
        return make(service, config=_CONFIG)
    from tools.local.backends.environment import REGION

    return make(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 (the emulator takes any)
        config=_LOCAL_CONFIG,
    )


def _physical_name(cloudformation: Any, stack: str, logical_id: str) -> str:
    resource = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])
