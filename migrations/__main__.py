"""`make migrate`: bring what is in a stack's tables to where the stack's code and parameters want it."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from migrations.m0001_status_shards import move_tasks_to_their_shards
from migrations.runner import (
    RATE,
    RECORDS_TABLE,
    WRITERS,
    Migration,
    MigrationError,
    Progress,
    Runner,
    TakenOver,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MIGRATIONS: tuple[Callable[[Mapping[str, str]], Migration], ...] = (move_tasks_to_their_shards,)
"""All migrations by number; each is made from the stack's parameters."""

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=WRITERS,
    # Adaptive: it slows down, but only after it was throttled itself, and the functions perhaps with it. What
    # spares them is the rate.
    retries={"mode": "adaptive", "total_max_attempts": 10},
)
_LOCAL_CONFIG = Config(
    connect_timeout=1,
    read_timeout=10,
    max_pool_connections=WRITERS,
    retries={"mode": "standard", "total_max_attempts": 2},
)
_LINE_INTERVAL = 1
"""Seconds between two lines about the progress."""


@dataclass(frozen=True)
class Stack:
    """A stack, in AWS or on this machine."""

    dynamodb: DynamoDBClient
    tables: Mapping[str, str]
    """Names by logical id."""
    parameters: Mapping[str, str]


def main() -> int:
    """Apply what is missing, or tell about it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make migrate ARGS="…"',
        description="Bring what is in a stack's tables to where its code and parameters want it. The API "
        "serves all the while. An interrupted run resumes; what is done already is not done again.",
    )
    parser.add_argument("--stack-name", default="task-api", help="the stack in AWS", metavar="NAME")
    parser.add_argument(
        "--status", action="store_true", help="change nothing; say what is applied and what is not"
    )
    parser.add_argument("--again", action="store_true", help="apply also what is recorded as applied")
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE,
        metavar="N",
        help="how many items to change a second (default: %(default)s); the API's own writes need the rest "
        "of the 1,000 write units that a partition of the index takes",
    )
    parser.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="the AWS that `make run` says it has started: migrate its tables instead of those of a stack",
    )
    chosen = parser.parse_args()
    try:
        stack = local_stack(chosen.endpoint_url) if chosen.endpoint_url else deployed_stack(chosen.stack_name)
        runner = Runner(stack.dynamodb, stack.tables, chosen.rate)
        for migration in (make(stack.parameters) for make in MIGRATIONS):
            if chosen.status:
                print(f"{_name(migration)}: {_state(runner.progress(migration))}")
            else:
                _apply(runner, migration, again=chosen.again)
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on from here", file=sys.stderr)
        return 130
    except NoRegionError:
        print(
            "error: No AWS region is set. For a stack in AWS, set AWS_REGION or run 'aws configure'; for "
            'make run, give the address that it prints for AWS: make migrate ARGS="--endpoint-url http://…".',
            file=sys.stderr,
        )
        return 1
    except (MigrationError, BotoCoreError, ClientError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except TakenOver:
        print("error: another run has begun, and goes on instead of this one", file=sys.stderr)
        return 1
    return 0


def deployed_stack(name: str) -> Stack:
    """Find the tables and parameters of a stack in AWS.

    Raises:
        MigrationError: there is no such stack, or it is not to be migrated now.
    """
    cloudformation: Any = boto3.client("cloudformation", config=_CONFIG)
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise MigrationError(
            f"There is no stack {name}. Name yours: make migrate ARGS='--stack-name …'."
        ) from error
    if "_COMPLETE" not in stack["StackStatus"]:
        # Functions may still write by the parameters from before, or by those that are being rolled back.
        raise MigrationError(
            f"The stack {name} is not deployed whole ({stack['StackStatus']}). Run this again when it is: "
            "when the deployment has ended, or has been mended."
        )
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    if "StatusShards" not in parameters:
        raise MigrationError(f"The stack {name} is of an earlier version. Deploy this one first: sam deploy.")
    resource = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId=RECORDS_TABLE)
    tables = {RECORDS_TABLE: resource["StackResourceDetail"]["PhysicalResourceId"]}
    return Stack(boto3.client("dynamodb", config=_CONFIG), tables, parameters)


def local_stack(url: str) -> Stack:
    """Describe the stack that `make run` serves; its tables are named by their logical ids.

    Raises:
        MigrationError: there is none.
    """
    from local.backends.environment import REGION
    from local.backends.own_table import load_parameters

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
        raise MigrationError(
            f"There is no local stack at {url}. Take the address that it prints for AWS."
        ) from error
    return Stack(client, {RECORDS_TABLE: RECORDS_TABLE}, parameters)


def _rate(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no rate; give a whole number from 1")
    return int(text)


def _apply(runner: Runner, migration: Migration, *, again: bool) -> None:
    before = None if again else runner.progress(migration)
    if before and before.finished_at:
        print(f"{_name(migration)}: {_state(before)}")
        return
    if before:
        print(f"{_name(migration)}: going on after {before.read:,} items")
    total = runner.estimated_items(migration)
    told_at = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _LINE_INTERVAL:
            told_at = time.monotonic()
            share = f" ({min(100, 100 * progress.read // total)} %)" if total else ""
            print(
                f"{_name(migration)}: {progress.read:,} items read{share}, {progress.changed:,} changed",
                flush=True,
            )

    done = runner.apply(migration, report, again=again)
    print(f"{_name(migration)}: {_state(done)}")


def _name(migration: Migration) -> str:
    return f"{migration.number:04} {migration.title}"


def _state(progress: Progress | None) -> str:
    if progress is None:
        return "not applied"
    if progress.finished_at is None:
        return f"interrupted after {progress.read:,} items"
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(progress.finished_at))
    return f"applied {when}; {progress.read:,} items read, {progress.changed:,} changed"


if __name__ == "__main__":
    sys.exit(main())
