"""Problems of items in the tasks table, alone or compared with related items."""

from __future__ import annotations

from collections.abc import Mapping

from shared.api.text import composed
from shared.aws import Item
from shared.tasks.indexes import INDEX_ATTRIBUTES, StatusShards, index_attributes
from shared.tasks.table import task_from_item, title_key
from shared.tasks.trash_items import trash_index_attributes, trashed_from_item

_OTHERS = ("CACHE#", "KEY#", "MIGRATION#", "STACK#")
"""Key prefixes of other items. Version 1.0 may have left CACHE#."""


def partner_keys(item: Item) -> list[str]:
    """Keys of related items: a title's task; a task's title, as stored and composed."""
    key: str = item["pk"]["S"]
    if key.startswith("TRASH#"):
        return [key.replace("TRASH", "TASK", 1)]
    if key.startswith("TASK#") and "S" in item.get("title", {}):
        title = item["title"]["S"]
        return list(dict.fromkeys(title_key(each)["pk"]["S"] for each in (title, composed(title))))
    if key.startswith("TITLE#") and "S" in item.get("task_id", {}):
        return [f"TASK#{item['task_id']['S']}"]
    return []


def problem_of(item: Item, partners: Mapping[str, Item], shards: StatusShards) -> str | None:
    """Describe an item's problem and how to fix it; None if it has none.

    Args:
        item: The item.
        partners: Items by key, including all existing ones that `partner_keys` names.
        shards: Where functions look for tasks.
    """
    key: str = item["pk"]["S"]
    if key.startswith("TASK#"):
        return _problem_of_task(key, item, partners, shards)
    if key.startswith("TRASH#"):
        return _problem_of_trash(key, item, partners) if "task" in item else None
    if key.startswith("TITLE#"):
        partner = next((partners[key] for key in partner_keys(item) if key in partners), None)
        if partner is None:
            return f"{key} belongs to a task that is gone. Nobody can use the title: delete this item."
        if f"TITLE#{partner.get('title', {}).get('S')}" != key:
            return f"{key} belongs to {partner['pk']['S']}, which has another title. Delete this item."
        return None
    return (
        None
        if key.startswith(_OTHERS)
        else f"{key} is not an item of this API. Delete it, unless it is yours."
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
            f"{key} has no item for its title {task.title!r}, so another task can take the title. "
            f"Put an item with the pk TITLE#{task.title} and the task_id {task.id}."
        )
    if holder.get("task_id") != {"S": task.id}:
        return f"{key} has the title {task.title!r}, which belongs to another task. Rename it."
    if (title := composed(task.title)) != task.title:
        if twin := partners.get(f"TITLE#{title}"):
            other = twin.get("task_id", {}).get("S")
            return f"{key} and TASK#{other} have the same title {title!r}, in two forms. Rename one of them."
        return f"{key} has a title that is not composed (NFC). Run 'make migrate ARGS=--again'."
    if {name: item[name] for name in INDEX_ATTRIBUTES if name in item} != index_attributes(task):
        return f"{key} has wrong index attributes. Run 'make migrate ARGS=--again'."
    if item["status"]["S"] not in shards.partition_keys(task.status):
        return f"{key} is in {item['status']['S']}, which no list reads. Run 'make migrate'."
    return None


def _problem_of_trash(key: str, item: Item, partners: Mapping[str, Item]) -> str | None:
    try:
        trashed = trashed_from_item(item)
    except (KeyError, ValueError) as error:
        return f"{key} cannot be read: {error!r}. Correct or delete it."
    if key != f"TRASH#{trashed.task.id}":
        return f"{key} has the id {trashed.task.id}. Correct its id."
    if (twin := key.replace("TRASH", "TASK", 1)) in partners:
        return f"{key} is deleted, but {twin} also exists. Delete the wrong one."
    if not trash_index_attributes(trashed.task.id, trashed.deleted_at).items() <= item.items():
        return f"{key} is not listed in the trash. Run 'make migrate ARGS=--again'."
    return None
