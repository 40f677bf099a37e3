"""`make check-data`: whether what is in a stack's tables is consistent. It reads, slowly, and writes nothing.

Every task must hold its title, and every title must be held for a task that has it. One transaction writes
both, so whatever is found here came from outside of the API: a restored table, or an item edited by hand.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from shared.api.text import composed
from shared.aws import Item
from shared.tasks.indexes import INDEX_ATTRIBUTES, StatusShards, index_attributes
from shared.tasks.table import task_from_item, title_key
from tools.migrations.runner import RECORDS_TABLE
from tools.stacks import NO_REGION, StackError, add_options, add_rate, chosen_stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RATE = 500
"""How many items are looked at a second, unless another number is asked for."""
_PAGE_SIZE = 50  # each looks for one other item, and a batch of reads takes 100
_OTHERS = ("CACHE#", "KEY#", "MIGRATION#", "STACK#", "TRASH#")
"""What the keys of items begin with that are neither tasks nor titles. Version 1.0 may have left CACHE#."""
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
    begun, looked_at = time.monotonic(), 0
    pages = client.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": _PAGE_SIZE}
    )
    for page in pages:
        partners = _partners(client, table, page["Items"])
        for item in page["Items"]:
            problem = _problem(item, partners, shards)
            # It may have changed between the two reads: so both are read again, at one moment.
            yield _problem_now(client, table, item, shards) if problem else None
        looked_at += len(page["Items"])
        time.sleep(max(0, looked_at / rate - (time.monotonic() - begun)))


def _partner_keys(item: Item) -> list[str]:
    """Name the items to look at besides: a title's task; a task's title, as it is and composed."""
    key: str = item["pk"]["S"]
    if key.startswith("TASK#") and "S" in item.get("title", {}):
        title = item["title"]["S"]
        return list(dict.fromkeys(title_key(each)["pk"]["S"] for each in (title, composed(title))))
    if key.startswith("TITLE#") and "S" in item.get("task_id", {}):
        return [f"TASK#{item['task_id']['S']}"]
    return []


def _partners(client: DynamoDBClient, table: str, items: list[Any]) -> dict[str, Item]:
    wanted = {key for item in items for key in _partner_keys(item)}
    found: dict[str, Item] = {}
    keys: Any = [{"pk": {"S": key}} for key in wanted]
    while keys:
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        found |= {item["pk"]["S"]: item for item in answer["Responses"][table]}
        keys = answer["UnprocessedKeys"][table]["Keys"] if answer["UnprocessedKeys"] else []
    return found


def _problem_now(client: DynamoDBClient, table: str, item: Item, shards: StatusShards) -> str | None:
    keys = [item["pk"]["S"], *_partner_keys(item)]
    answer = client.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": {"pk": {"S": key}}}} for key in keys]
    )
    now = {each["Item"]["pk"]["S"]: each["Item"] for each in answer["Responses"] if "Item" in each}
    itself = now.get(keys[0])
    if itself is None or not set(_partner_keys(itself)) <= set(keys):
        return None  # it is gone, or has changed meanwhile: it was alive
    return _problem(itself, now, shards)


def _problem(item: Item, partners: Mapping[str, Item], shards: StatusShards) -> str | None:
    key: str = item["pk"]["S"]
    if key.startswith("TASK#"):
        return _problem_of_task(key, item, partners, shards)
    if key.startswith("TITLE#"):
        partner = next((partners[key] for key in _partner_keys(item) if key in partners), None)
        if partner is None:
            return f"{key} is held for a task that is not there. Nobody can use it: delete this item."
        if f"TITLE#{partner.get('title', {}).get('S')}" != key:
            return f"{key} is held for {partner['pk']['S']}, which has another title. Delete this item."
        return None
    return (
        None if key.startswith(_OTHERS) else f"{key} is no item of this table. Delete it, if it is not yours."
    )


def _problem_of_task(key: str, item: Item, partners: Mapping[str, Item], shards: StatusShards) -> str | None:
    try:
        task = task_from_item(item)
    except (KeyError, ValueError) as error:
        return f"{key} cannot be read: {error!r}. Correct or delete it."
    if key != f"TASK#{task.id}":
        return f"{key} has the id {task.id}. Correct its id."
    holder = partners.get(f"TITLE#{task.title}")
    if holder is None:
        return (
            f"{key} does not hold its title {task.title!r}, so another task can take it. "
            f"Put an item with the pk TITLE#{task.title} and the task_id {task.id}."
        )
    if holder.get("task_id") != {"S": task.id}:
        return f"{key} has the title {task.title!r}, which is held for another task. Rename it."
    if (title := composed(task.title)) != task.title:
        if twin := partners.get(f"TITLE#{title}"):
            other = twin.get("task_id", {}).get("S")
            return f"{key} and TASK#{other} have the same title {title!r}, in two forms. Rename one of them."
        return f"{key} has a title that is not composed (NFC). Run 'make migrate ARGS=--again'."
    if {name: item[name] for name in INDEX_ATTRIBUTES if name in item} != index_attributes(task):
        return f"{key} is not where it should be in an index. Run 'make migrate ARGS=--again'."
    if item["status"]["S"] not in shards.partition_keys(task.status):
        return f"{key} is in {item['status']['S']}, which no list reads. Run 'make migrate'."
    return None


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
        found = _report(problems(stack.dynamodb, stack.tables[RECORDS_TABLE], shards, rate=given.rate))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except NoRegionError:
        print(f"error: {NO_REGION}", file=sys.stderr)
        return 2
    except (StackError, BotoCoreError, ClientError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
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
