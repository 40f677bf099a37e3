"""The state file of version 1.0: JSON, a snapshot on its first line, and a line for each change since."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.local.backends.changes import (
    Change,
    Checkpoint,
    Item,
    ItemChange,
    QueueChange,
    Schema,
    SecretChange,
)
from tools.local.backends.own_table import OWN_TABLE


def is_one(path: Path) -> bool:
    """Whether there is such a file, rather than the database that later versions write."""
    try:
        with path.open("rb") as file:
            return file.read(6) not in {b"", b"SQLite"}
    except FileNotFoundError:
        return False


def read(path: Path, schema: Schema) -> Iterator[Change]:
    """Read a file; tables that the template no longer has are left out.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is something else.
    """
    first, *changes = map(json.loads, _lines(path))
    tables: dict[str, dict[str, Item]] = {
        table: {json.dumps(schema.key(table, item)): item for item in items}
        for table, items in first["tables"].items()
        if table in schema.keys
    }
    for table, items in tables.items():
        yield from (ItemChange(table, schema.key(table, item), item) for item in items.values())
    for queue, messages in first.get("queues", {}).items():
        yield QueueChange(queue, messages, ())
    for name, secret in first.get("secrets", {}).items():
        yield SecretChange(name, secret)
    own_items = first["tables"].get(OWN_TABLE, [])
    own_items += [change["item"] for change in changes if change.get("table") == OWN_TABLE]
    checkpoints = {
        tuple(item["id"]["S"].split("/")): item["sequence_number"]["S"]
        for item in own_items
        if "sequence_number" in item
    }
    delivered = {table: schema.delivered(table, checkpoints) for table in schema.consumers}
    for change in changes:
        if "queue" in change:
            yield QueueChange(change["queue"], change["sent"], change["gone"])
        elif "secret" in change:
            yield SecretChange(change["secret"], change["value"])
        elif (table := change["table"]) in schema.keys:
            items, key = tables.setdefault(table, {}), json.dumps(change["key"])
            is_done = table not in delivered or change["number"] <= delivered[table]
            record = None if is_done else _record(change, items.get(key))
            yield ItemChange(table, change["key"], change["item"], record)
            items[key] = change["item"]
    for (table, function), number in checkpoints.items():
        if table in delivered:
            yield Checkpoint(table, function, number, delivered[table])


def _lines(path: Path) -> Iterator[str]:
    """Read the lines; a last one without an end was never acknowledged, unless it is the only one."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if line.endswith("\n") or number == 0:
                yield line


def _record(change: dict[str, Any], old: Item | None) -> dict[str, Any]:
    """Make the record that the stream had of a change."""
    images = {"OldImage": old, "NewImage": change["item"]}
    return {
        "eventID": str(uuid.uuid4()),
        "eventName": "REMOVE" if change["item"] is None else "MODIFY" if old else "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "Keys": change["key"],
            "SequenceNumber": change["number"],
            "SizeBytes": 0,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: image for name, image in images.items() if image},
        },
    }
