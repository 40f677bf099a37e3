"""`make check-data`: whether what is in a stack's tables is consistent. It reads, slowly, and writes nothing.

Every task must hold its title, every title must be held for a task that has it, and what is in the trash must
not be there, too. One transaction writes all of that, so whatever is found here came from outside of the API:
a restored table, or an item edited by hand. And each history must be of a task.
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
"""How many items are looked at a second, unless another number is asked for."""
_PAGE_SIZE = 50  # each looks for one other item, and a batch of reads takes 100
_LINE_INTERVAL = 1
_MAX_FOUND = 100
"""Problems after which the rest is not looked at: something is wrong with all of it."""


def problems(
    client: DynamoDBClient, table: str, shards: StatusShards, *, rate: int = RATE
) -> Iterator[str | None]:
    """Look at each item of the tasks table.

    Args:
        client: A DynamoDB client.
        table: The table.
        shards: Where functions look for tasks.
        rate: How many items to look at a second.

    Yields:
        For each item what is wrong with it and how to mend that, or None.
    """
    for page in _scan(client, table, rate):
        partners = _read(client, table, {key for item in page for key in partner_keys(item)})
        for item in page:
            problem = problem_of(item, partners, shards)
            # It may have changed between the two reads: so both are read again, at one moment.
            yield _problem_now(client, table, item, shards) if problem else None


def orphans(client: DynamoDBClient, table: str, tasks: str, *, rate: int = RATE) -> Iterator[str | None]:
    """Look for histories of tasks that are gone.

    Args:
        client: A DynamoDB client.
        table: The history table.
        tasks: The tasks table.
        rate: How many changes to look at a second.

    Yields:
        For each change of a task what is wrong, once for a task, or None.
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
                f"HistoryTable has the history of the task {id_}, which is gone. Unless that was minutes "
                "ago, the event of its end was lost: delete these items."
            )


def _scan(client: DynamoDBClient, table: str, rate: int, **options: str) -> Iterator[list[Item]]:
    """Read a table, a page at a time, at so many items a second."""
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
    """Read items of the tasks table by their keys, those that there are."""
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
        return None  # it is gone, or has changed meanwhile: it was alive
    return problem_of(itself, now, shards)


def main() -> int:
    """Check the tables of a stack; returns the exit status: 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog='make check-data ARGS="…"',
        description="Tell whether what is in a stack's tables is consistent. Nothing is changed.",
    )
    add_options(parser)
    add_rate(parser, RATE, "items to look at a second (default: %(default)s)")
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
    """Print what is wrong, and how far it has come; returns how many problems there are."""
    found, items, told_at = 0, 0, time.monotonic()
    for problem in looked_at:
        items += 1
        if problem:
            found += 1
            print(problem, flush=True)
            if found == _MAX_FOUND:
                print(f"{found} problems after {items:,} items: the rest is not looked at")
                return found
        if time.monotonic() - told_at >= _LINE_INTERVAL:
            told_at = time.monotonic()
            print(f"{items:,} items, {found} problems", flush=True)
    print(f"{items:,} items, {found} problems" if found else f"{items:,} items, all is well")
    return found


if __name__ == "__main__":
    sys.exit(main())
