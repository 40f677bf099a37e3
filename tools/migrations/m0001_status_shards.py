"""Moves each task to its shard of the status index, as the parameter StatusShards sets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.aws import Item
from shared.tasks.indexes import MAX_SHARDS, STATUS_INDEX, StatusShards, status_in
from shared.tasks.task import TaskStatus
from tools.migrations.runner import Change, Migration

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def move_tasks_to_their_shards(parameters: Mapping[str, str]) -> Migration:
    """Move tasks that are not in the shard that functions now write them to.

    Functions must read every shard with tasks, old and new. While the count grows, they read more shards at
    once; while it shrinks, StatusShards names both counts until this migration ends.
    """
    shards = StatusShards.parse(parameters["StatusShards"])

    def change(item: Item) -> Change | None:
        if not item["pk"]["S"].startswith("TASK#"):
            return None
        old = item["status"]["S"]
        new = shards.partition_key(status_in(old), item["id"]["S"])
        if new == old:
            return None
        return {
            "UpdateExpression": "SET #status = :new",
            "ConditionExpression": "#status = :old",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":new": {"S": new}, ":old": {"S": old}},
        }

    def leftovers(client: DynamoDBClient, table: str) -> Iterator[Item]:
        """Find tasks outside of the written shards, which lists would miss once functions read only those.

        A task in the wrong one of the written shards is still listed; only the balance suffers.
        """
        all_shards = replace(shards, read=MAX_SHARDS)
        for status in TaskStatus:
            for partition_key in all_shards.partition_keys(status)[shards.written :]:
                pages = client.get_paginator("query").paginate(
                    TableName=table,
                    IndexName=STATUS_INDEX,
                    KeyConditionExpression="#status = :status",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={":status": {"S": partition_key}},
                )
                for page in pages:
                    yield from page["Items"]

    return Migration(
        number=1,
        title=f"tasks to their {shards.written} shard(s) of the status index",
        table="TasksTable",
        settings={"shards": str(shards.written)},
        change=change,
        leftovers=leftovers,
    )
