"""Adds tasks that were deleted before version 1.4 to the index that lists the trash."""

from __future__ import annotations

from collections.abc import Mapping

from shared.aws import Item
from shared.tasks.trash_items import trash_index_attributes
from tools.migrations.runner import Change, Migration, Unchangeable


def index_the_trash(_parameters: Mapping[str, str]) -> Migration:
    """Set wrong or missing index attributes."""

    def change(item: Item) -> Change | None:
        kind, _, task_id = item["pk"]["S"].partition("#")
        if kind != "TRASH" or "task" not in item:
            return None
        try:
            right = trash_index_attributes(task_id, int(item["deleted_at"]["N"]))
        except (KeyError, ValueError) as error:
            raise Unchangeable(f"{item['pk']['S']} cannot be read; run 'make check-data'") from error
        if right.items() <= item.items():
            return None
        return {
            "UpdateExpression": "SET #status = :status, due = :due",
            "ConditionExpression": "deleted_at = :deleted_at",  # it may be restored or purged meanwhile
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":deleted_at": item["deleted_at"],
                **{f":{name}": value for name, value in right.items()},
            },
        }

    return Migration(
        number=5,
        title="deleted tasks to the index that lists them",
        table="TasksTable",
        settings={},
        change=change,
    )
