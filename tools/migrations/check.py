"""`make check-data`: checks the data in a stack's tables for consistency. It reads slowly, and never writes.

Every task must have its title item, every title item must belong to a task with that title, and a task in
the trash must not exist outside of it. The API writes these items in one transaction, so any fault comes from
outside of the API: a restored table, or an item edited by hand. Each history must belong to a task.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import Item
from shared.tasks.indexes import StatusShards
from tools.migrations.problems import partner_keys, problem_of
from tools.migrations.runner import RECORDS_TABLE
from tools.stacks import StackError, add_options, add_rate, chosen_stack, text_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RATE = 500
"""Default number of items to check per second."""
_PAGE_SIZE = 50  # each item needs up to two others, and a batch reads 100
_LINE_INTERVAL = 1
_MAX_FOUND = 100
"""Number of problems after which the check stops: the cause is likely the same."""


def problems(
    client: DynamoDBClient, table: str, shards: StatusShards, *, rate: int = RATE
) -> Iterator[str | None]:
    """Check each item of the tasks table.

    Args:
        client: A DynamoDB client.
        table: The table.
        shards: Where functions look for tasks.
        rate: Items to check per second.

    Yields:
        For each item, its problem and how to fix it, or None.
    """
    for page in _scan(client, table, rate):
        partners = _read(client, table, {key for item in page for key in partner_keys(item)})
        for item in page:
            problem = problem_of(item, partners, shards)
            # The items may have changed between the two reads, so both are read again in one transaction.
            yield _problem_now(client, table, item, shards) if problem else None


def orphans(client: DynamoDBClient, table: str, tasks: str, *, rate: int = RATE) -> Iterator[str | None]:
    """Check for histories without a task.

    Args:
        client: A DynamoDB client.
        table: The history table.
        tasks: The tasks table.
        rate: Changes to check per second.

    Yields:
        For each change, its problem, reported once per task, or None.
    """
    told = ""
    for page in _scan(client, table, rate, ProjectionExpression="task_id"):
        ids = [item["task_id"]["S"] for item in page]
        found = _read(client, tasks, {f"{kind}#{id_}" for id_ in ids for kind in ("TASK", "TRASH")})
        for id_ in ids:
            if id_ == told or f"TASK#{id_}" in found or f"TRASH#{id_}" in found:
                yield None
                continue
            told = id_
            yield (
                f"HistoryTable has the history of the task {id_}, which is gone. Unless it was purged "
                "minutes ago, its event task.purged was lost: delete these items."
            )


def _scan(client: DynamoDBClient, table: str, rate: int, **options: str) -> Iterator[list[Item]]:
    """Scan a table by pages, at a limited rate of items per second."""
    begun, looked_at = time.monotonic(), 0
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        PaginationConfig={"PageSize": _PAGE_SIZE},
        **options,  # type: ignore[arg-type]
    )
    for page in pages:
        yield list(page["Items"])
        looked_at += len(page["Items"])
        time.sleep(max(0, looked_at / rate - (time.monotonic() - begun)))


def _read(client: DynamoDBClient, table: str, wanted: Collection[str]) -> dict[str, Item]:
    """Read items of the tasks table by their keys; missing ones are left out."""
    found: dict[str, Item] = {}
    keys: Any = [{"pk": {"S": key}} for key in wanted]
    while keys:
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        found |= {item["pk"]["S"]: item for item in answer["Responses"][table]}
        keys = answer["UnprocessedKeys"][table]["Keys"] if answer["UnprocessedKeys"] else []
    return found


def _problem_now(client: DynamoDBClient, table: str, item: Item, shards: StatusShards) -> str | None:
    keys = [item["pk"]["S"], *partner_keys(item)]
    answer = client.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": {"pk": {"S": key}}}} for key in keys]
    )
    now = {each["Item"]["pk"]["S"]: each["Item"] for each in answer["Responses"] if "Item" in each}
    itself = now.get(keys[0])
    if itself is None or not set(partner_keys(itself)) <= set(keys):
        return None  # deleted or changed meanwhile, so the API handles it correctly
    return problem_of(itself, now, shards)


def main() -> int:
    """Check the tables of a stack; returns the exit status: 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog='make check-data ARGS="…"',
        description="Check the data in a stack's tables for consistency. Changes nothing.",
    )
    add_options(parser)
    add_rate(parser, RATE, "items to check per second (default: %(default)s)")
    given = parser.parse_args()
    try:
        stack = chosen_stack(given)
        shards = StatusShards.parse(stack.parameters["StatusShards"])
        tasks, history = stack.tables[RECORDS_TABLE], stack.tables["HistoryTable"]
        found = _report(
            itertools.chain(
                problems(stack.dynamodb, tasks, shards, rate=given.rate),
                orphans(stack.dynamodb, history, tasks, rate=given.rate),
            )
        )
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (StackError, BotoCoreError, ClientError, ValueError) as error:
        print(f"error: {text_of(error)}", file=sys.stderr)
        return 2
    return 1 if found else 0


def _report(looked_at: Iterator[str | None]) -> int:
    """Print problems and progress; returns the number of problems."""
    found, items, told_at = 0, 0, time.monotonic()
    for problem in looked_at:
        items += 1
        if problem:
            found += 1
            print(problem, flush=True)
            if found == _MAX_FOUND:
                print(f"{found} problems after {items:,} items: the rest is not checked")
                return found
        if time.monotonic() - told_at >= _LINE_INTERVAL:
            told_at = time.monotonic()
            print(f"{items:,} items, {found} problems", flush=True)
    print(f"{items:,} items, {found} problems" if found else f"{items:,} items, all is well")
    return found


if __name__ == "__main__":
    sys.exit(main())
