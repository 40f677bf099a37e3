"""Composes titles (NFC) that were stored before requests did so.

An older title that is not composed reserves only its own form, so another task can have a title that looks
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.api.text import composed
from shared.aws import Item
from shared.errors import Contention, TaskNotFound, TitleTaken, Unavailable
from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from tools.migrations.runner import Change, Migration, Unchangeable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def compose_titles(parameters: Mapping[str, str]) -> Migration:
    """Compose titles, unless another task already has the composed one."""
    shards = StatusShards.parse(parameters["StatusShards"])

    def change(item: Item) -> Change | None:
        if not item["pk"]["S"].startswith("TASK#") or "S" not in item.get("title", {}):
            return None
        title = composed(item["title"]["S"])
        return None if title == item["title"]["S"] else {"title": title}

    def write(client: DynamoDBClient, tables: Mapping[str, str], key: Item, change: Change) -> None:
        table, history = tables["TasksTable"], tables["HistoryTable"]
        # The table's stream invalidates the cache.
        store = TaskStore(lambda: None, client=client, table=table, history=history, shards=shards)
        task_id = key["pk"]["S"].removeprefix("TASK#")
        try:
            store.update(task_id, lambda task: replace(task, title=composed(task.title)))
        except TitleTaken as error:
            pair = f"TASK#{task_id} and TASK#{error.task_id}"
            raise Unchangeable(
                f"{pair} have the same title {change['title']!r}, in two forms. Rename one of them."
            ) from error
        except TaskNotFound:
            return
        except (Contention, Unavailable) as error:
            raise Unchangeable(
                f"TASK#{task_id} could not be changed now. Run this again with --again."
            ) from error
        except (KeyError, ValueError) as error:
            raise Unchangeable(f"TASK#{task_id} cannot be read: see 'make check-data'.") from error

    return Migration(
        number=2,
        title="titles in composed form (NFC)",
        table="TasksTable",
        settings={},
        change=change,
        write=write,
    )
