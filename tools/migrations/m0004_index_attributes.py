"""Recomputes the key attributes of each task's indexes, as this version writes them.

An older version may not update them when it changes a field that they derive from, such as the status.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.aws import Item
from shared.tasks.indexes import INDEX_ATTRIBUTES, index_attributes
from shared.tasks.table import task_from_item
from tools.migrations.runner import Change, Migration, Unchangeable


def compute_index_attributes(_parameters: Mapping[str, str]) -> Migration:
    """Recompute wrong or missing attributes."""

    def change(item: Item) -> Change | None:
        if not item["pk"]["S"].startswith("TASK#"):
            return None
        try:
            right = index_attributes(task_from_item(item))
        except (KeyError, ValueError) as error:
            raise Unchangeable(f"{item['pk']['S']} cannot be read; run 'make check-data'") from error
        if right == {name: item[name] for name in INDEX_ATTRIBUTES if name in item}:
            return None
        sets = ", ".join(f"{name} = :{name}" for name in right)
        gone = ", ".join(name for name in INDEX_ATTRIBUTES if name not in right)
        return {
            "UpdateExpression": (f"SET {sets} " if sets else "") + (f"REMOVE {gone}" if gone else ""),
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {
                ":version": item["version"],
                **{f":{name}": value for name, value in right.items()},
            },
        }

    return Migration(number=4, title="tasks to the indexes", table="TasksTable", settings={}, change=change)
