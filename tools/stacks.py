"""The stack whose tables a command looks at: one in AWS, or that of `make run`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NO_REGION = (
    "No AWS region is set. For a stack in AWS, set AWS_REGION or run 'aws configure'; for make run, give the "
    'address that it prints for AWS, as ARGS="--endpoint-url http://…".'
)

MAX_CALLS = 16
"""How many calls at once the client of a stack is for."""
_TABLES = ("TasksTable", "UsersTable")
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


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which stack it is for."""
    parser.add_argument("--stack-name", default="task-api", help="the stack in AWS", metavar="NAME")
    parser.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="the AWS that `make run` says it has started: its tables instead of those of a stack",
    )


def rate(text: str) -> int:
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
    cloudformation: Any = boto3.client("cloudformation", config=_CONFIG)
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
    if "StatusShards" not in parameters:
        raise StackError(f"The stack {name} is of an earlier version. Deploy this one first: sam deploy.")
    tables = {}
    for table in _TABLES:
        resource = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId=table)
        tables[table] = resource["StackResourceDetail"]["PhysicalResourceId"]
    return Stack(boto3.client("dynamodb", config=_CONFIG), tables, parameters)


def local_stack(url: str) -> Stack:
    """Describe the stack that `make run` serves; its tables are named by their logical ids.

    Raises:
        StackError: there is none.
    """
    from tools.local.backends.environment import REGION
    from tools.local.backends.own_table import load_parameters

    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 (the emulator takes any)
        config=_LOCAL_CONFIG,
    )
    try:
        parameters = load_parameters(client)
    except (BotoCoreError, ClientError, KeyError) as error:
        raise StackError(
            f"There is no local stack at {url}. Take the address that it prints for AWS."
        ) from error
    return Stack(client, {table: table for table in _TABLES}, parameters)
