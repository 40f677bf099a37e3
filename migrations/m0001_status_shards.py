"""Each task moves to the shard of the status index that the parameter StatusShards gives it."""

from __future__ import annotations

from collections.abc import Mapping

from migrations.runner import Change, Item, Migration
from shared.status_index import StatusShards, status_of


def move_tasks_to_their_shards(parameters: Mapping[str, str]) -> Migration:
    """Move what is not in the shard that functions write it to now.

    Functions have to read all shards that are written to, before and after: while the count grows they read
    more at once; while it shrinks, StatusShards names both counts until this is done.
    """
    shards = StatusShards.parse(parameters["StatusShards"])

    def change(item: Item) -> Change | None:
        if not item["pk"]["S"].startswith("TASK#"):
            return None
        old = item["status"]["S"]
        new = shards.partition_key(status_of(old), item["id"]["S"])
        if new == old:
            return None
        return {
            "UpdateExpression": "SET #status = :new",
            "ConditionExpression": "#status = :old",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":new": {"S": new}, ":old": {"S": old}},
        }

    return Migration(
        number=1,
        title=f"tasks to their {shards.written} shard(s) of the status index",
        table="TasksTable",
        settings={"shards": str(shards.written)},
        change=change,
    )
