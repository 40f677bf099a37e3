"""The stack that a command works on: one in AWS, or that of `make run`."""

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
"""Maximum number of concurrent calls of a stack's client."""
_TABLES = ("TasksTable", "HistoryTable", "UsersTable")
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=MAX_CALLS,
    # Adaptive mode slows down only after throttling, which may also have hit the functions. Only the
    # commands' rate limit protects them.
    retries={"mode": "adaptive", "total_max_attempts": 10},
)
_LOCAL_CONFIG = Config(
    connect_timeout=1,
    read_timeout=10,
    max_pool_connections=MAX_CALLS,
    retries={"mode": "standard", "total_max_attempts": 2},
)


class StackError(Exception):
    """The stack does not exist, or is not in a usable state."""


@dataclass(frozen=True)
class Stack:
    """A stack, in AWS or on this machine."""

    dynamodb: DynamoDBClient
    tables: Mapping[str, str]
    """Names by logical id."""
    parameters: Mapping[str, str]
    name: str = "task-api"
    """Value of AWS::StackName."""
    endpoint_url: str | None = None
    """URL of the emulated AWS, for a stack on this machine."""

    def client(self, service: str) -> Any:
        """Create a boto3 client of a service, for the AWS that the stack is in."""
        return _client(service, self.endpoint_url)

    def physical_name(self, logical_id: str) -> str:
        """Find a resource's physical name.

        Raises:
            ClientError: the stack has no such resource.
        """
        if self.endpoint_url:
            return logical_id  # the local stack names resources by logical id
        return _physical_name(self.client("cloudformation"), self.name, logical_id)

    def queues(self) -> dict[str, str]:
        """List the URLs of its queues by logical id."""
        if self.endpoint_url:
            pages = self.client("sqs").get_paginator("list_queues").paginate()
            urls = [url for page in pages for url in page.get("QueueUrls", [])]
            return {url.rpartition("/")[2]: url for url in urls}
        return self.resources("AWS::SQS::Queue")

    def resources(self, kind: str) -> dict[str, str]:
        """List the physical names of a type's resources by logical id; only for stacks in AWS."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind
        }


def text_of(error: Exception) -> str:
    """Text of an error; without a region, says what to do."""
    return _NO_REGION if isinstance(error, NoRegionError) else str(error)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a stack."""
    parser.add_argument(
        "--stack-name", default="task-api", help="stack in AWS (default: %(default)s)", metavar="NAME"
    )
    parser.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="URL of AWS that `make run` prints: its stack, instead of one in AWS",
    )


def add_rate(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    """Add the option `--rate`; `what` is its help text."""
    parser.add_argument("--rate", type=_rate, default=default, metavar="N", help=what)


def _rate(text: str) -> int:
    """Parse a number of items per second."""
    if not re.fullmatch(r"[1-9]\d*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate; give a whole number from 1")
    return int(text)


def chosen_stack(chosen: argparse.Namespace) -> Stack:
    """Find the stack that the options choose.

    Raises:
        StackError: the stack does not exist, or is not in a usable state.
    """
    return local_stack(chosen.endpoint_url) if chosen.endpoint_url else deployed_stack(chosen.stack_name)


def deployed_stack(name: str) -> Stack:
    """Find the tables and parameters of a stack in AWS.

    Raises:
        StackError: the stack does not exist, or a deployment is in progress or has failed.
    """
    cloudformation = _client("cloudformation")
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackError(f"There is no stack {name}. Name yours with ARGS='--stack-name …'.") from error
    if "_COMPLETE" not in stack["StackStatus"]:
        # Functions may still use the previous parameters, or those that are being rolled back.
        raise StackError(
            f"The stack {name} is in the state {stack['StackStatus']}. Run this again after the "
            "deployment has ended, or after you have fixed it."
        )
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    try:
        tables = {table: _physical_name(cloudformation, name, table) for table in _TABLES}
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackError(
            f"The stack {name} runs an earlier version. Deploy this version first: sam deploy."
        ) from error
    return Stack(_client("dynamodb"), tables, parameters, stack["StackName"])


def local_stack(url: str) -> Stack:
    """Describe the stack that `make run` serves; its tables are named by their logical ids.

    Raises:
        StackError: no local stack runs there.
    """
    from tools.local.backends.environment import STACK_NAME
    from tools.local.backends.own_table import load_parameters

    client = _client("dynamodb", url)
    try:
        parameters = load_parameters(client)
    except (BotoCoreError, ClientError, KeyError) as error:
        raise StackError(
            f"There is no local stack at {url}. Use the URL that make run prints for AWS."
        ) from error
    return Stack(client, {table: table for table in _TABLES}, parameters, STACK_NAME, url)


def _client(service: str, url: str | None = None) -> Any:
    make: Any = boto3.client  # mypy accepts only literal service names
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
